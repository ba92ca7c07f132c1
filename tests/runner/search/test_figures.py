"""Pictures of a search: what they show, and that no search is without them."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from runner.compose import parse
from runner.search.figures import (
    BLUE,
    GREEN,
    RED,
    Marks,
    draw,
    history,
    importance,
    scale,
    shown_range,
    slices,
)
from runner.search.space import read_space
from runner.search.study import Record, Trial
from tests.runner.search.conftest import Start, finish


def record(number: int, state: str, value: float | None, **values: Any) -> Record:
    return Record(Trial(number, (), ()), state, value, values, "")


def pixels(png: bytes) -> Any:
    image = Image.open(io.BytesIO(png))
    assert image.format == "PNG"
    return np.asarray(image.convert("RGB")).astype(int)


def amount(image: Any, colour: str) -> int:
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return int((np.abs(image - wanted).max(axis=-1) < 60).sum())


def test_the_usual_range_is_all_of_it() -> None:
    low, high = shown_range([1.0, 2.0, 3.0, 2.5], True)
    assert 0.5 < low < 1
    assert 3 < high < 3.5


@pytest.mark.parametrize("sign", [1, -1])
def test_a_value_that_explodes_does_not_squash_the_rest(sign: int) -> None:
    values = [sign * v for v in (1.0, 1.5, 2.0, 1.2, 1e7)]
    near, far = shown_range(values, sign == 1)[::sign]
    assert 0 < sign * near < 1
    assert 2 < sign * far < 3
    # but a better value is never left outside, be it ever so far
    low, high = shown_range([*values, -sign * 1e9], sign == 1)
    assert low <= -sign * 1e9 <= high


@pytest.mark.parametrize("values", [[], [0.0], [3.0], [3.0, 3.0], [1e-12, 1e-12], [1.0, 1e6], [-5.0]])
def test_a_range_is_never_empty(values: list[float]) -> None:
    low, high = shown_range(values, True)
    assert low < high
    assert all(low < value < high for value in values)


def heights(axes: Any, marker: str) -> list[float]:
    return [y for line in axes.lines if line.get_marker() == marker for y in line.get_ydata()]


@pytest.mark.parametrize("sign", [1, -1])
def test_each_trial_has_its_mark(sign: int) -> None:
    records = [record(i, "completed", sign * v) for i, v in enumerate((1.0, 1.5, 2.0, 1.2, 1e7))]
    records += [record(5, "failed", None), record(6, "pruned", sign * 1.9), record(7, "unfinished", None)]
    axes = Figure().subplots()
    marks = Marks(axes, records, sign == 1)
    marks.scatter([float(r.trial.number) for r in records])
    edge = 0.975 if sign == 1 else 0.025
    assert heights(axes, "o") == [sign * 1.0, sign * 1.5, sign * 2.0, sign * 1.2, sign * 1.9]
    assert heights(axes, "^" if sign == 1 else "v") == [edge]
    assert heights(axes, "x") == [edge]
    assert heights(axes, "D") == [edge]
    assert marks.beyond
    assert axes.get_legend_handles_labels()[1] == [
        "completed (5)",
        "pruned (1)",
        "unfinished (1)",
        "failed (1)",
    ]


@pytest.mark.parametrize(("minimise", "expected"), [(True, [3, 2, 2, 1]), (False, [3, 3, 3, 5])])
def test_the_line_is_the_best_so_far(minimise: bool, expected: list[float]) -> None:
    last = 1.0 if minimise else 5.0
    records = [record(i, "completed", v) for i, v in enumerate((3.0, 2.0))]
    records += [record(2, "pruned", -9.0 if minimise else 9.0), record(3, "completed", last)]
    axes = Figure().subplots()
    Marks(axes, records, minimise).best_so_far()
    (line,) = axes.lines
    assert list(line.get_ydata()) == expected
    assert line.get_label() == f"best: trial-0003, {last:.6g}"


def test_colours_of_what_is_there() -> None:
    records = [record(0, "completed", 1.0), record(1, "failed", None)]
    both, completed = pixels(history(records, "m", True)), pixels(history(records[:1], "m", True))
    assert amount(completed, GREEN) > 20
    assert amount(both, RED) > amount(completed, RED)
    assert amount(pixels(importance({"a" * 80: 0.9, "b": 0.1}, "m")), BLUE) > 30000


WORDS = (
    "method.lr=tag(log,interval(1e-5,1e-1))",
    "method.blocks=int(interval(2,8))",
    "method.dropout=range(0,0.5,0.1)",
    "+a.key.whose.name.is.longer.than.any_panel_is_wide=choice('a b $^$','more text than fits',c_d,null_)",
)


@pytest.mark.parametrize(
    ("word", "kind", "low", "high", "ticks"),
    [
        ("a=tag(log,interval(1e-5,1e-1))", "log", 1e-5, 1e-1, None),
        ("a=interval(0,1)", "linear", 0, 1, None),
        ("a=range(8,0,-2)", "linear", 2, 8, [8, 6, 4, 2]),
        ("a=x,y,z", "linear", 0, 2, [0, 1, 2]),
    ],
)
def test_an_axis_shows_all_that_could_be_chosen(
    word: str, kind: str, low: float, high: float, ticks: list[float] | None
) -> None:
    axes = Figure().subplots()
    scale(axes, read_space(parse([word])).dimensions["a"])
    assert axes.get_xscale() == kind
    left, right = axes.get_xlim()
    assert left < low < high < right
    assert left > low / 2 if kind == "log" else left > low - 1
    assert ticks is None or list(axes.get_xticks()) == ticks


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("count", [0, 40])
def test_slices_have_a_panel_for_each_key(count: int) -> None:
    space = read_space(parse(WORDS))
    key = next(key for key in space.dimensions if key.startswith("+"))
    values = {"method.lr": 1e-3, "method.blocks": 3, "method.dropout": 0.1, key: "c_d"}
    states = ("completed", "failed", "pruned", "unfinished")
    records = [
        Record(Trial(i, (), ()), states[i % 4], None if i % 4 in (1, 3) else 1.0 + i, values, "")
        for i in range(count)
    ]
    image = pixels(slices(records, space, "validation/loss", True))
    assert image.shape == (816, 864, 3)
    assert (image == 255).all(axis=-1).mean() > 0.8


def test_of_many_keys_nine_are_shown() -> None:
    space = read_space(parse([f"k{i}=1,2" for i in range(12)]))
    records = [record(0, "completed", 1.0, **{f"k{i}": "1" for i in range(12)})]
    assert pixels(slices(records, space, "m", True)).shape[0] == int(120 * 9.8)


@pytest.mark.filterwarnings("error")
def test_numbers_that_are_none_can_be_drawn() -> None:
    records = [record(i, "pruned", value) for i, value in enumerate((math.nan, math.inf, -math.inf, None))]
    assert pixels(history(records, "m", True)).shape == (552, 960, 3)


def test_a_search_draws_its_pictures(start: Start, tmp_path: Path) -> None:
    search = start(trials=6)
    assert draw(search) == ["no figures/importance.png: fewer than four trials are completed"]
    finish(search)
    assert draw(search) == []
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == [
        "history.png", "importance.png", "slices.png",
    ]  # fmt: skip


def test_an_importance_that_no_longer_holds_is_removed(start: Start, tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "importance.png").write_bytes(b"old")
    assert draw(start())
    assert not (tmp_path / "figures" / "importance.png").exists()
