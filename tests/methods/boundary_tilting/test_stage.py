"""The method as the command runs it."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import torch

from methods import boundary_tilting
from methods.boundary_tilting.images import flipped, read, resized
from runner import cli
from runner.api import Note
from tests.methods.infogan.data import Random

QUICK = ["method=boundary_tilting", "method.c=[1e-4,1e-2,1]", "threads=1"]


def done(outputs: Path, *words: str) -> tuple[dict[str, float], Path]:
    assert cli.main([*QUICK, *words, f"outputs={outputs}"]) == 0
    (place,) = outputs.glob("*/*")
    return json.loads((place / "result.json").read_text())["metrics"], place


@pytest.mark.parametrize("loss", ["logistic", "squared_hinge", "hinge"])
def test_a_path_is_fitted_and_drawn(loss: str, tmp_path: Path) -> None:
    found, place = done(tmp_path, f"method.loss={loss}")
    (entry,) = (one for one in boundary_tilting.METHODS if one.name == "boundary_tilting")
    assert [n for n in found if not any(fnmatchcase(n, pattern) for pattern in entry.metrics)] == []
    assert found["test/identity_error"] < 1e-9
    assert found["test/angle_fall"] < 1e-6
    assert found["test/angle_strong"] < found["test/angle_weak"]
    assert found["test/tilted_strength"] == pytest.approx(573, rel=0.01)  # 1 / cos(89.9 degrees)
    names = {path.stem for path in (place / "figures").glob("*.png")}
    assert names >= {"plane", "path", "weights", "mirrors", "tilting", "spectrum", "sign", "margins"}
    lines = [json.loads(line) for line in (place / "metrics.jsonl").read_text().splitlines()]
    angles = [line["train/angle"] for line in lines if "train/angle" in line]
    assert len(angles) == 3
    assert angles == sorted(angles)


def test_images_of_another_side_with_c_by_their_norm(tmp_path: Path) -> None:
    small, _ = done(tmp_path / "a", "method.scale_c=true", "method.side=4")
    large, _ = done(tmp_path / "b", "method.scale_c=true", "method.side=16")
    assert large["test/relative"] == pytest.approx(small["test/relative"], rel=0.5)


def test_wrong_labels_tilt_more(tmp_path: Path) -> None:
    clean, _ = done(tmp_path / "a")
    noisy, _ = done(tmp_path / "b", "method.flipped=0.1")
    assert noisy["test/angle_weak"] > clean["test/angle_weak"] + 5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["dataset.classes=null"], "parts two classes, and digits has 10; dataset.classes=[0,1] picks two"),
        (["dataset.classes=[3]"], "parts two classes, and digits has 1"),
        (["method.c=[1,1]"], "method.c must be one strength or more, rising"),
        (["method.c=[]"], "method.c must be one strength or more, rising"),
        (["method.tilts=[90]"], "method.tilts"),
        (["method.ridge=0"], "leaves a singular matrix"),
    ],
)
def test_bad_input_is_a_sentence(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*QUICK, *words, f"outputs={tmp_path}"]) == 2
    errors = capsys.readouterr().err
    assert said in errors, errors


def test_classes_are_balanced_with_their_first_images() -> None:
    split = Random(40, (1, 4, 4), 0)
    split.labels = (torch.arange(40) % 5 == 0).long()
    with pytest.warns(Note, match="32 and 8 training images of the two classes: the first 8 of each"):
        images, y = read(split, None, 256)
    assert y.tolist() == 8 * [-1.0] + 8 * [1.0]
    assert images.dtype == torch.float64
    assert 0 <= float(images.min()) <= float(images.max()) <= 1
    torch.testing.assert_close(images[8:] * 255, split.images[::5].double())
    some, _ = read(split, 3, 256)
    torch.testing.assert_close(some, torch.cat((images[:3], images[8:11])))


def test_as_many_labels_of_either_class_are_flipped() -> None:
    y = torch.cat((-torch.ones(50), torch.ones(50))).double()
    torch.manual_seed(0)
    wrong = flipped(y, 0.1)
    assert (wrong != y)[:50].sum() == (wrong != y)[50:].sum() == 5
    torch.testing.assert_close(flipped(y, 0.0), y)


def test_smaller_images_are_means_and_larger_ones_keep_theirs() -> None:
    images = torch.rand(3, 1, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(resized(images, 4)[:, :, 1, 2], images[:, :, 2:4, 4:6].mean((2, 3)))
    assert resized(images, 20).shape == (3, 1, 20, 20)
    torch.testing.assert_close(resized(images, 16).mean(), images.mean(), rtol=0.02, atol=0)
    assert resized(images, None) is images
