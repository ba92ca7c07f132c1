from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from runner.compare.figure import COLOURS, SHAPES, draw, draw_panel, draw_points, style
from runner.compare.find import find_runs
from runner.compare.group import compare
from runner.compare.load import load_run
from runner.compare.panels import make_panels


def pixels(folder: Path, log: bool = False, log_x: bool = False) -> Any:
    comparison = compare([load_run(run) for run in find_runs([folder])])
    image = Image.open(io.BytesIO(draw(make_panels(comparison), comparison, log, log_x)))
    assert image.format == "PNG"
    return np.asarray(image.convert("RGB")).astype(int)


def amount(image: Any, colour: str) -> int:
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return int((np.abs(image - wanted).max(axis=-1) < 12).sum())


def test_each_configuration_is_drawn_in_its_colour(sweep: Path) -> None:
    image = pixels(sweep)
    assert [amount(image, colour) > 500 for colour in COLOURS[:6]] == [True] * 3 + [False] * 3
    assert (image == 255).all(axis=-1).mean() > 0.6


def test_a_logarithmic_picture_is_another_one(sweep: Path) -> None:
    assert not np.array_equal(pixels(sweep), pixels(sweep, log=True))
    assert not np.array_equal(pixels(sweep), pixels(sweep, log_x=True))


def test_a_metric_of_one_configuration_keeps_that_ones_colour(write_run: Any) -> None:
    for name in ("a", "b"):
        rows = [{"stage": "s", "step": step} | ({"x": float(step)} if name == "b" else {}) for step in (1, 2)]
        write_run(name, config=write_run.settings(1, kind=name), rows=rows)
    image = pixels(write_run.parent)
    assert amount(image, COLOURS[1]) > 3 * amount(image, COLOURS[0])  # of a, only the legend's line


def test_a_band_below_zero_does_not_stretch_a_logarithmic_axis(write_run: Any) -> None:
    for seed, value in ((1, 1.0), (2, 100.0)):
        rows = [{"stage": "s", "step": step, "x": value} for step in (1, 2)]
        write_run(f"r{seed}", config=write_run.settings(seed), rows=rows, result=write_run.finished(seed, {}))
    comparison = compare([load_run(run) for run in find_runs([write_run.parent])])
    axes = Figure().subplots()
    draw_panel(axes, make_panels(comparison)[0], log=True, log_x=False)
    low, high = axes.get_ylim()
    assert 0.5 < low < 1
    assert 100 < high < 300
    band = np.asarray(axes.collections[0].get_paths()[0].vertices)[:, 1]
    assert (band.min(), band.max()) == (1.0, pytest.approx(50.5 + 99 / np.sqrt(2)))


def test_a_lone_point_has_its_deviation_as_a_bar(write_run: Any) -> None:
    for seed, value in ((1, 2.0), (2, 4.0)):
        rows = [{"stage": "s", "step": 20, "x": value}]
        write_run(f"r{seed}", config=write_run.settings(seed), rows=rows, result=write_run.finished(seed, {}))
    comparison = compare([load_run(run) for run in find_runs([write_run.parent])])
    axes = Figure().subplots()
    draw_panel(axes, make_panels(comparison)[0], log=False, log_x=False)
    bar: Any = axes.containers[0]
    (ends,) = bar.lines[2][0].get_segments()
    np.testing.assert_allclose(ends[:, 1], [3 - np.sqrt(2), 3 + np.sqrt(2)])


def test_lone_points_of_one_colour_have_other_shapes(write_run: Any) -> None:
    for seed in range(8):
        rows = [{"stage": "s", "step": 20, "x": float(seed)}]
        config = write_run.settings(1, kind=f"k{seed}")
        write_run(f"r{seed}", config=config, rows=rows, result=write_run.finished(1, {}))
    comparison = compare([load_run(run) for run in find_runs([write_run.parent])])
    axes = Figure().subplots()
    draw_panel(axes, make_panels(comparison)[0], log=False, log_x=False)
    points = [line for line in axes.lines if line.get_marker() in SHAPES and line.get_color() == COLOURS[0]]
    assert len({line.get_marker() for line in points}) == len(points) == 2


def test_seven_colours_then_other_dashes() -> None:
    looks = [str(style(position)) for position in range(28)]
    assert len(set(looks)) == 28


@pytest.mark.parametrize("name", ["$x_1", "_hidden", "a very long value " * 12, "学習", "</script>\n"])
def test_any_value_may_be_a_name(write_run: Any, name: str, recwarn: pytest.WarningsRecorder) -> None:
    for value in (name, "other"):
        rows = [{"stage": "s", "step": step, "x$^": float(step)} for step in (1, 2)]
        write_run(f"r{len(value)}", config={"_a": value, "seed": 1}, rows=rows)
    image = pixels(write_run.parent)
    assert amount(image, COLOURS[0]) > 100
    assert amount(image, COLOURS[1]) > 100
    assert [str(warning.message) for warning in recwarn] == []


def test_many_configurations_and_metrics_still_fit(write_run: Any) -> None:
    for number in range(50):
        rows = [
            {"stage": "s", "step": step} | {f"m{i:02}": float(i + step) for i in range(14)}
            for step in (1, 2, 3)
        ]
        write_run(f"r{number}", config={"width": number, "seed": 1}, rows=rows)
    height, width, _ = pixels(write_run.parent).shape
    assert max(height, width) < 3000


def test_nothing_to_draw_is_a_picture_too(write_run: Any) -> None:
    write_run("a", config=write_run.settings(1), rows=[])
    assert (pixels(write_run.parent) != 255).any()


def test_one_value_of_each_run_is_drawn_above_the_configurations_names(write_run: Any) -> None:
    for kind in ("one", "other"):
        for seed, value in ((1, 2.0), (2, 4.0)):
            config = write_run.settings(seed, kind=kind)
            result = write_run.finished(seed, {"test/x": value}, steps=10 * seed)
            write_run(f"{kind}{seed}", config=config, result=result)
    comparison = compare([load_run(run) for run in find_runs([write_run.parent])])
    (panel,) = make_panels(comparison)
    axes = Figure().subplots()
    draw_points(axes, panel, [group.name for group in comparison.configurations], log=False)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["kind=one", "kind=other"]
    places = {float(x) for line in axes.lines for x in np.atleast_1d(line.get_xdata())}
    assert places == {0, 1}
    bars: Any = axes.containers
    np.testing.assert_allclose(bars[1].lines[2][0].get_segments()[0][:, 1], [3 - np.sqrt(2), 3 + np.sqrt(2)])
    assert amount(pixels(write_run.parent), COLOURS[0]) > 100
