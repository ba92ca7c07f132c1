"""What the picture of a crossing shows: its axis is that of what was swept, and no interval is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from runner.claim.picture import NOWHERE, _draw_crossing, draw
from tests.runner.claim.test_report import FINDING, MADE

SIZES = (2, 4, 8, 16, 32, 64)
CROSSING = {
    **FINDING, "form": "crossing", "what": "where a - b changes its sign", "estimate": None, "low": None,
    "high": None, "wanted": "less at 2, greater at 64", "how": "some seed has no crossing",
    "verdict": "inconclusive",
}  # fmt: skip


def arms(sizes: tuple[float, ...]) -> dict[str, Any]:
    values = {"a": 1.0, "b": 2.0}
    return {
        f"{name}@{size:g}": {"words": [], "of": None, "values": {"test/nats": [value, value]}, "runs": {}}
        for name, value in values.items()
        for size in sizes
    }


def drawn(sizes: tuple[float, ...] = SIZES, **changes: Any) -> Any:
    axes = Figure().subplots()
    _draw_crossing(axes, {**CROSSING, **changes}, arms(sizes))
    return axes


def bars(axes: Any) -> list[list[float]]:
    """Ends of the intervals."""
    return [list(line.get_xdata()) for line in axes.lines if line.get_linewidth() == 2.2]


def test_a_place_without_an_interval_is_said_in_words() -> None:
    axes = drawn()
    assert [text.get_text() for text in axes.texts] == [NOWHERE]
    assert bars(axes) == []
    axes = drawn(estimate=9.0, how="t over 1 seed")
    assert [text.get_text() for text in axes.texts] == ["no interval: t over 1 seed"]
    assert bars(axes) == []


def test_the_axis_is_that_of_what_was_swept() -> None:
    axes = drawn()
    assert axes.get_xscale() == "log"
    low, high = axes.get_xlim()
    assert 1 < low < 2
    assert 64 < high < 128
    assert [label.get_text() for label in axes.get_xticklabels()] == ["2", "4", "8", "16", "32", "64"]
    assert drawn((2, 3, 4)).get_xscale() == "linear"


def test_an_interval_ends_where_the_axis_does() -> None:
    axes = drawn(estimate=9.0, low=-5.0, high=23.0)
    assert bars(axes) == [[pytest.approx(axes.get_xlim()[0]), 23.0]]
    assert not list(axes.texts)


def test_the_picture_of_a_crossing_is_written(tmp_path: Path) -> None:
    made = {**MADE, "verdict": "inconclusive", "findings": [CROSSING], "arms": arms(SIZES)}
    draw(made, tmp_path / "crossing.png")
    assert len(np.unique(np.asarray(Image.open(tmp_path / "crossing.png").convert("L")))) > 10
