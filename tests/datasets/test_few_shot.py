"""Few-shot data sets: splits by list, turns, Omniglot's zips, and functions."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from datasets.config import EpisodesConfig
from datasets.few_shot import Drawn, build, divide
from datasets.types import DataError, RegressionSampler

NAMES = [
    ("Greek/a", "Greek"),
    ("Greek/b", "Greek"),
    ("Latin/a", "Latin"),
    ("Thai/a", "Thai"),
    ("Thai/b", "Thai"),
]


def config(**changes: Any) -> EpisodesConfig:
    values = {"train": None, "validation": ("Latin",), "test": ("Thai",), "rotations": False, **changes}
    return EpisodesConfig(batch_size=1, size=4, limit=values.pop("limit", None), **values)


def drawn() -> list[Drawn]:
    random = np.random.default_rng(0)
    return [Drawn(n, g, random.integers(0, 256, (3, 1, 4, 4), dtype=np.uint8)) for n, g in NAMES]


def test_lists_name_groups_or_classes_and_null_gets_the_rest() -> None:
    assert divide(config(), NAMES) == {"train": [0, 1], "validation": [2], "test": [3, 4]}
    found = divide(config(train=("Greek/b",), validation=("Greek/a", "Latin"), test=None), NAMES)
    assert found == {"train": [1], "validation": [0, 2], "test": [3, 4]}
    assert divide(config(train=("Greek",)), NAMES)["train"] == [0, 1]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"test": ("Tai",)}, "dataset.test: there is no 'Tai'; near ones are Thai"),
        ({"train": ("Latin/a",)}, "Latin/a is in both dataset.train and dataset.validation"),
        ({"validation": None}, "dataset.train and dataset.validation are both null"),
        ({"validation": ()}, "no class of few is left in its validation part"),
    ],
)
def test_lists_that_make_no_sense_are_a_sentence(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        build("few", config(**changes), drawn(), {})


def test_quarter_turns_are_classes() -> None:
    classes = drawn()
    data = build("few", config(rotations=True), classes, {})
    assert data.train.names[:5] == (
        "Greek/a/rot000",
        "Greek/a/rot090",
        "Greek/a/rot180",
        "Greek/a/rot270",
        "Greek/b/rot000",
    )
    assert [len(part) for part in (data.train, data.validation, data.test)] == [8, 4, 8]
    for turn in range(4):
        theirs = torch.rot90(torch.from_numpy(classes[0].images), turn, (2, 3))
        assert torch.equal(data.train.images[3 * turn : 3 * turn + 3], theirs)
    limited = build("few", config(rotations=True, limit=1), classes, {})
    assert len(limited.train) == 4
    assert len({data.checksum, limited.checksum, build("few", config(), classes, {}).checksum}) == 3


def archive(path: Path, characters: dict[str, int]) -> None:
    random = np.random.default_rng(sum(map(ord, path.name)))
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as out:
        for name, drawings in characters.items():
            for i in range(drawings):
                ink = random.random((105, 105)) < 0.5
                data = io.BytesIO()
                Image.fromarray(ink).save(data, "PNG")
                out.writestr(f"{path.stem}/{name}/{i:02}.png", data.getvalue())


def test_omniglot_is_read_from_its_zips(publish: Callable[..., Path], load: Any, access: Any) -> None:
    home = access.root / "omniglot_small"
    archive(home / "images_background_small1.zip", {"Korean/character01": 2, "Greek/character01": 2})
    archive(home / "images_background_small2.zip", {"Tagalog/character02": 3, "Latin/character01": 2})
    publish("omniglot_small")
    data = load("omniglot_small", test=("Korean",), rotations=False, size=21)
    assert data.train.names == ("Greek/character01", "Latin/character01")
    assert (data.validation.groups, data.test.names) == (("Tagalog",), ("Korean/character01",))
    assert data.shape == (1, 21, 21)
    with zipfile.ZipFile(home / "images_background_small2.zip") as files:
        picture = Image.open(io.BytesIO(files.read("images_background_small2/Tagalog/character02/01.png")))
    assert picture.mode == "1"
    theirs = 255 - np.asarray(picture.convert("L").resize((21, 21), Image.Resampling.BILINEAR))
    assert np.array_equal(data.validation.images[1, 0].numpy(), theirs)
    again = load("omniglot_small", test=("Korean",), rotations=False, size=21)
    assert torch.equal(again.train.images, data.train.images)


def test_omniglots_split_is_that_of_the_paper(settings: Any) -> None:
    """By the numbers of characters of the alphabets that the split files name."""
    counts = {"Armenian": 41, "Bengali": 46, "Early_Aramaic": 22, "Hebrew": 22, "Mkhedruli_(Georgian)": 41}
    wanted = settings("omniglot")
    assert sum(counts[name] for name in wanted.validation) == 172
    assert len(wanted.test) == 16
    assert [name for name in wanted.test if "/" in name] == [f"Gurmukhi/character{n}" for n in range(42, 46)]


def test_glyphs_need_no_files(load: Any) -> None:
    data = load("glyphs", limit=5)
    assert data.train.images.shape == (100, 1, 28, 28)
    assert set(data.train.groups) <= {"Latin", "Greek", "Cyrillic", "Canadian Aboriginal"}
    small = load("glyphs", limit=2, size=14)
    assert small.test.images.shape == (40, 1, 14, 14)


def test_sine_curves_are_those_of_their_amplitude_and_phase(load: Any) -> None:
    data = load("sinusoid")
    found = RegressionSampler(data.train, 10, 5, seed=3, episodes=4).batch(torch.arange(4))
    assert found.support.shape == (4, 10, 1)
    assert found.query_labels.shape == (4, 5, 1)
    for m in range(4):
        a, b = data.train.curve(int(found.classes[m]))
        assert 0.1 < a < 5
        assert 0 < b < np.pi
        torch.testing.assert_close(found.support_labels[m], a * torch.sin(found.support[m] + b))
    again = RegressionSampler(data.train, 10, 5, seed=3, episodes=1).batch(torch.tensor([2]))
    assert torch.equal(again.support[0], found.support[2])
    other = RegressionSampler(data.test, 10, 5, seed=3, episodes=4).batch(torch.arange(4))
    assert not torch.equal(other.support_labels, found.support_labels)
    drawn = RegressionSampler(data.train, 400, 1, seed=1, episodes=1).batch(torch.tensor([0])).support
    assert drawn.abs().max() < 5
    assert drawn.std().item() == pytest.approx(10 / 12**0.5, rel=0.1)


def test_linear_regressions_are_conditioned_as_asked(load: Any) -> None:
    data = load("quadratic", inputs=4, condition=16.0, noise=0.0)
    found = RegressionSampler(data.train, 4000, 1, seed=1, episodes=1).batch(torch.tensor([0]))
    x, y = found.support[0].double(), found.support_labels[0].double()
    variances = x.var(0)
    assert (variances[0] / variances[-1]).item() == pytest.approx(16, rel=0.15)
    solution = torch.linalg.lstsq(x, y).solution
    assert (x @ solution - y).abs().max() < 1e-4
