"""Every file in `conf/` composes and is what its dataclass says; every key is explained."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
import yaml

from runner import schema
from runner.compose import Composer
from runner.registry import CONF, Registry
from runner.settings import RootSettings

ALLOWED = {"help", "min", "above", "max", "below", "only"}


def files(group: str) -> list[str]:
    found = (
        path.relative_to(CONF / group).with_suffix("").as_posix() for path in (CONF / group).rglob("*.yaml")
    )
    return sorted(found)


@pytest.mark.parametrize("name", files("method"))
def test_every_method_composes_with_its_default_data(name: str) -> None:
    composed = Composer([f"method={name}"]).compose()
    assert composed.method.entry.name == name
    assert composed.method.entry.needs in composed.dataset.entry.kinds


@pytest.mark.parametrize("name", files("dataset"))
def test_every_dataset_composes(name: str) -> None:
    registry = Registry()
    kinds = registry.dataset(name).entry.kinds
    method = next(m for m, found in registry.methods().items() if found.entry.needs in kinds)
    assert Composer([f"method={method}", f"dataset={name}"]).compose().dataset.entry.name == name


@pytest.mark.parametrize("name", [name for name in files("preset") if name != "none"])
def test_every_preset_is_taken_up_by_itself(name: str) -> None:
    method, dataset = name.split("/")
    assert Composer([f"method={method}", f"dataset={dataset}"]).compose().choices["preset"] == name


@pytest.mark.parametrize("name", files("experiment"))
def test_every_experiment_composes(name: str) -> None:
    assert Composer([f"experiment={name}"]).compose().choices["experiment"] == name


@pytest.mark.parametrize("name", files("debug"))
def test_every_debug_preset_composes(name: str) -> None:
    assert Composer([f"debug={name}"]).compose().choices["debug"] == name


@pytest.mark.parametrize("name", files("trainer"))
def test_every_trainer_composes(name: str) -> None:
    assert Composer([f"trainer={name}"]).compose().choices["trainer"] == name


def test_data_and_methods_have_a_yaml_each() -> None:
    registry = Registry()
    assert set(files("dataset")) == set(registry.datasets(installed=False))
    assert set(files("method")) == set(registry.methods(installed=False))


def dataclasses_below(cls: type) -> Iterator[type]:
    yield cls
    for hint in schema._hints(cls).values():
        if dataclasses.is_dataclass(hint):
            yield from dataclasses_below(hint)  # type: ignore[arg-type]


def all_settings() -> list[type]:
    registry = Registry()
    methods = [found.refer(found.entry.config) for found in registry.methods(installed=False).values()]
    data = [found.entry.config for found in registry.datasets(installed=False).values()]
    return sorted({c for cls in [RootSettings, *methods, *data] for c in dataclasses_below(cls)}, key=str)


@pytest.mark.parametrize("cls", all_settings())
def test_settings_are_frozen_explained_and_without_values(cls: type) -> None:
    assert cls.__dataclass_params__.frozen  # type: ignore[attr-defined]
    for item in dataclasses.fields(cls):
        assert item.default is dataclasses.MISSING, f"{item.name} repeats a value of the YAML"
        assert item.metadata.get("help"), f"{item.name} is not explained"
        assert set(item.metadata) <= ALLOWED
        for other, values in item.metadata.get("only", {}).items():
            hint = get_type_hints(cls)[other]
            possible = {True, False} if hint is bool else set(get_args(hint))
            assert set(values) < possible, f"{item.name} depends on {other}"


def lines_without_comment(path: Path) -> list[str]:
    """Keys with a value and no comment on their line or above it, in the block of `path`."""
    found, above = [], False
    for line in path.read_text().splitlines():
        stripped = line.strip()
        if stripped.startswith("#"):
            above = True
        elif not stripped:
            above = False
        elif (
            re.match(r"[\w]+:\s*\S", stripped)
            and not stripped.startswith("- ")
            and "#" not in line
            and not above
        ):
            found.append(stripped)
    return found


@pytest.mark.parametrize(
    "path",
    sorted(
        [
            *CONF.glob("*.yaml"),
            *CONF.glob("method/*.yaml"),
            *CONF.glob("trainer/*.yaml"),
            *CONF.glob("dataset/*.yaml"),
            *CONF.glob("launcher/*.yaml"),
            *CONF.glob("sweeper/*.yaml"),
        ]
    ),
    ids=str,
)
def test_every_key_of_the_manual_has_a_comment(path: Path) -> None:
    assert lines_without_comment(path) == []


@pytest.mark.parametrize("path", sorted(CONF.rglob("*.yaml")), ids=str)
def test_no_file_names_code(path: Path) -> None:
    text = path.read_text()
    assert "_target_" not in text
    assert "oc.env" not in text
    assert yaml.safe_load(text) is None or isinstance(yaml.safe_load(text), dict)


def test_later_choices_win() -> None:
    """Command line over debug over experiment over preset over method."""
    plain = Composer(["dataset=digits"]).compose()
    assert plain.choices["preset"] == "realnvp/digits"
    assert Composer(["dataset=digits", "debug=fast"]).compose().root.trainer.steps == 20
    assert Composer(["dataset=digits", "debug=fast", "trainer.steps=7"]).compose().root.trainer.steps == 7
    bare = Composer(["dataset=digits", "preset=none"]).compose()
    assert bare.root.trainer.steps is None
    assert bare.method_config != plain.method_config


def test_a_choice_is_described_by_a_whole_sentence() -> None:
    from runner.verbs.list import about

    composer = Composer([])
    said = about("debug", "nan", composer)
    assert said == "Find where a NaN is born: its step, its operation and your line, forwards or backwards"
    assert about("debug", "fast", composer).endswith("64 items each")
