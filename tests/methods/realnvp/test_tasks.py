"""The tasks on a trained flow and PixelCNN, as the command does them: metrics, items and pictures."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from methods.realnvp import METHODS
from runner import cli

SMALL = {
    "realnvp": [
        "method.width=4",
        "method.complete.steps=5",
        "method.complete.images=6",
        "method.look_images=8",
    ],
    "pixelcnn": ["method.width=4", "method.samples=4"],
}
LOOKS = {
    ("realnvp", "complete"): ("completions.png", ["complete/rmse_mean", "complete/nats_minus_truth"], 6),
    ("realnvp", "interpolate"): ("manifold.png", ["interpolate/nats_minus_blend"], 4),
    ("realnvp", "compress"): ("compressed.png", ["compress/rmse_zero_1", "compress/rmse_drawn_1"], 8),
    ("realnvp", "sample"): ("samples.png", [], 0),
    ("pixelcnn", "sample"): ("samples.png", [], 0),
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run of a few steps of each method."""
    return {name: done(tmp_path_factory.mktemp(name), f"method={name}", *SMALL[name], "trainer.steps=3")
            for name in SMALL}  # fmt: skip


def done(outputs: Path, *words: str) -> Path:
    assert cli.main([*words, "threads=1", f"outputs={outputs}"]) == 0
    (place,) = outputs.glob("*/*")
    return place


def metrics(place: Path) -> dict[str, float]:
    found: dict[str, float] = json.loads((place / "result.json").read_text())["metrics"]
    return found


@pytest.mark.parametrize(("method", "task"), LOOKS)
def test_a_look_leaves_metrics_items_and_a_picture(
    method: str, task: str, trained: dict[str, Path], tmp_path: Path
) -> None:
    words = [word for word in SMALL[method] if "width" not in word]
    place = done(tmp_path, f"task={task}", f"checkpoint={trained[method]}", *words)
    picture, names, count = LOOKS[method, task]
    with Image.open(place / "figures" / picture) as image:
        assert image.size[0] > 30
    found = metrics(place)
    assert set(names) <= set(found)
    for name in names:
        with np.load(place / "items.npz", allow_pickle=False) as items:
            assert items[name].shape == (count,)
            assert items[name].mean() == pytest.approx(found[name])
    declared = next(entry.metrics for entry in METHODS if entry.name == method)
    for name in [*found, *metrics(trained[method])]:
        assert any(fnmatchcase(name, pattern) for pattern in declared), name
