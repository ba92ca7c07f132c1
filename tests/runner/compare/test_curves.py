from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from runner.compare.curves import make_band, make_curve, thin
from runner.compare.find import find_runs
from runner.compare.group import compare
from runner.compare.load import load_run
from runner.compare.panels import Panel, make_panels


def panels_of(folder: Path, *globs: str) -> dict[str, Panel]:
    comparison = compare([load_run(run) for run in find_runs([folder])])
    return {panel.title: panel for panel in make_panels(comparison, globs)}


def test_steps_rise_and_the_later_of_two_values_counts() -> None:
    curve = make_curve([10, 30, 20, 10], [1.0, 3.0, 2.0, 9.0])
    assert (curve.steps.tolist(), curve.values.tolist()) == ([10, 20, 30], [9.0, 2.0, 3.0])


def test_equal_steps_give_numpys_mean_and_deviation() -> None:
    values = np.random.default_rng(0).normal(size=(3, 50))
    band = make_band([make_curve(np.arange(50), row) for row in values])
    assert band is not None
    assert band.sd is not None
    np.testing.assert_allclose(band.mean, values.mean(0))
    np.testing.assert_allclose(band.sd, np.sqrt(((values - values.mean(0)) ** 2).sum(0) / 2))
    assert band.n == 3


def test_other_steps_are_interpolated_only_where_all_curves_are() -> None:
    # 0, 10, 20 at steps 0, 10, 20 and the line 100 + step at 5, 15, 25: means are (step + 100 + step) / 2
    band = make_band([make_curve([0, 10, 20], [0, 10, 20]), make_curve([5, 15, 25], [105, 115, 125])])
    assert band is not None
    assert band.sd is not None
    assert band.steps.tolist() == [5, 10, 15, 20]
    np.testing.assert_allclose(band.mean, [55, 60, 65, 70])
    np.testing.assert_allclose(band.sd, 100 / np.sqrt(2))


def test_curves_that_share_no_step_have_no_band() -> None:
    assert make_band([make_curve([0, 1], [0, 1]), make_curve([2, 3], [0, 1])]) is None
    assert make_band([]) is None


def test_one_curve_is_its_own_mean_without_a_deviation() -> None:
    band = make_band([make_curve([1, 2], [5, 6])])
    assert band is not None
    assert (band.mean.tolist(), band.sd, band.n) == ([5, 6], None, 1)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=400), st.integers(8, 60))
def test_thinning_keeps_ends_and_extremes_within_the_limit(values: list[float], points: int) -> None:
    array = np.array(values)
    kept = thin(array, points)
    assert len(kept) <= points
    assert (np.diff(kept) > 0).all()
    assert {0, len(values) - 1} <= set(kept.tolist())
    assert array[kept].min() == min(values)
    assert array[kept].max() == max(values)


def test_a_spike_of_one_step_among_a_hundred_thousand_survives() -> None:
    values = np.sin(np.arange(100_000) / 5000)
    values[61_803] = 50
    kept = thin(values, 1200)
    assert 61_803 in kept
    assert len(kept) <= 1200


def test_a_curve_after_a_step_is_joined_to_what_was_before() -> None:
    curve = make_curve([0, 10, 20, 30], [0, 1, 2, 3])
    assert curve.after(15).steps.tolist() == [10, 20, 30]
    assert curve.after(30).steps.tolist() == [30]
    assert curve.after(-1).steps.tolist() == [0, 10, 20, 30]


def test_panels_of_a_sweep(sweep: Path) -> None:
    panels = panels_of(sweep)
    names = ["validation/bits_per_dim", "train/bits_per_dim", "train/grad_norm", "train/lr"]
    assert list(panels) == names
    slow, middle, _ = panels["train/lr"].lines.values()
    assert middle.band is not None
    assert slow.band is not None
    np.testing.assert_allclose(middle.band.mean, 0.0003)
    assert (middle.band.n, slow.band.n) == (3, 1)
    assert [(seed.counted, seed.run.status) for seed in slow.seeds] == [
        (True, "completed"),
        (False, "failed"),
        (False, "running or killed"),
    ]


def test_a_metric_of_two_stages_has_two_panels(write_run: Any) -> None:
    rows = [
        {"stage": stage, "step": step, "train/loss": 1.0} for stage in ("pretrain", "tune") for step in (1, 2)
    ]
    write_run("a", config=write_run.settings(1), rows=rows)
    assert list(panels_of(write_run.parent)) == ["pretrain: train/loss", "tune: train/loss"]


def test_final_metrics_are_points_where_they_are_asked_for(sweep: Path) -> None:
    panels = panels_of(sweep, "test/*")
    assert list(panels) == ["test/bits_per_dim", "test/histogram"]
    band = panels["test/histogram"].lines[1].band
    assert band is not None
    assert (band.steps.tolist(), band.mean.tolist(), band.n) == ([2000], [2.4387], 3)


def test_the_logs_repetition_of_the_result_is_no_panel_of_its_own(write_run: Any) -> None:
    rows = [
        {"stage": "s", "step": 5, "test/x": 1.0},
        {"stage": "s", "step": 5, "final/test/x": 1.0, "final/y": 2.0},
    ]
    write_run("a", config=write_run.settings(1), rows=rows, result=write_run.finished(1, {"test/x": 1.0}))
    assert list(panels_of(write_run.parent)) == ["test/x", "final/y"]


def test_runs_with_no_metric_in_common_have_panels_of_their_own(write_run: Any) -> None:
    for name in ("x", "y"):
        rows = [{"stage": "s", "step": step, name: 1.0} for step in (1, 2)]
        write_run(name, config=write_run.settings(1, kind=name), rows=rows)
    assert {title: list(panel.lines) for title, panel in panels_of(write_run.parent).items()} == {
        "x": [0],
        "y": [1],
    }


def test_an_empty_log_gives_no_panel(write_run: Any) -> None:
    write_run("a", config=write_run.settings(1), rows=[])
    assert panels_of(write_run.parent) == {}


def test_globs_choose_panels(sweep: Path) -> None:
    assert list(panels_of(sweep, "train/l*")) == ["train/lr"]
