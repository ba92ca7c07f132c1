"""The catalogue: instant, complete, and in step with the YAML."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from datasets.catalog import ENTRIES
from datasets.types import DatasetEntry

ROOT = Path(__file__).parents[2]
Settings = Callable[..., Any]
NAMES = [entry.name for entry in ENTRIES]


def test_importing_the_catalogue_imports_nothing_heavy() -> None:
    code = (
        "import sys, datasets.catalog, datasets.sources, datasets.fetch\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "datasets" in out.stdout.split()
    assert not {"torch", "numpy", "PIL", "sklearn", "scipy", "tqdm", "torchvision"} & set(out.stdout.split())


def test_names_are_unique_and_all_that_the_issue_lists() -> None:
    scenes = {"lsun_bedroom", "lsun_tower", "lsun_church"}
    imagenets = {"imagenet32", "imagenet64", "imagenet32_npz", "imagenet64_npz"}
    small = {"digits", "mnist", "fashion_mnist", "cifar10", "cifar100", "svhn", "celeba", "image_folder"}
    assert len(NAMES) == len(set(NAMES))
    assert scenes | imagenets | small <= set(NAMES)


@pytest.mark.parametrize("entry", ENTRIES, ids=NAMES)
def test_yaml_gives_every_setting_and_no_other(entry: DatasetEntry) -> None:
    values = yaml.safe_load((ROOT / "conf" / "dataset" / f"{entry.name}.yaml").read_text())
    fields = dataclasses.fields(entry.config)
    assert set(values) == {field.name for field in fields}
    assert all(field.default is dataclasses.MISSING and field.metadata["help"] for field in fields)
    assert entry.config(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


@pytest.mark.parametrize("entry", ENTRIES, ids=NAMES)
def test_every_yaml_key_is_explained(entry: DatasetEntry) -> None:
    lines = (ROOT / "conf" / "dataset" / f"{entry.name}.yaml").read_text().splitlines()
    assert all("# " in line for line in lines if line.strip())


@pytest.mark.parametrize("entry", ENTRIES, ids=NAMES)
def test_what_an_entry_names_exists(entry: DatasetEntry) -> None:
    for target in (entry.load, entry.files):
        if target is not None:
            module, _, function = target.partition(":")
            assert callable(getattr(import_module(module), function))


def test_every_official_file_says_where_it_comes_from_and_how_to_know_it(settings: Settings) -> None:
    for entry in ENTRIES:
        if entry.files is None:
            continue
        module, _, function = entry.files.partition(":")
        for file in getattr(import_module(module), function)(settings(entry.name)):
            algorithm, _, digest = (file.checksum or "").partition(":")
            assert len(digest) == {"md5": 32, "sha256": 64}[algorithm], file.name
            assert int(digest, 16) >= 0
            assert file.url or file.page
            assert file.bytes


def test_a_split_must_be_three_shares_of_the_whole(settings: Settings) -> None:
    for wrong in ((0.5, 0.5), (0.8, 0.3, 0.1), (1.1, 0.1, -0.2)):
        with pytest.raises(ValueError, match=r"dataset\.split"):
            settings("image_folder", split=wrong)
