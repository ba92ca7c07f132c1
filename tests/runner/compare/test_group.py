from __future__ import annotations

import os
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner.compare.differ import canonical, differing_keys, labels, show
from runner.compare.find import find_runs
from runner.compare.group import Comparison, compare
from runner.compare.load import load_run


def compared(folder: Path, *ignored: str) -> Comparison:
    return compare([load_run(run) for run in find_runs([folder])], ignored)


def test_seeds_outputs_and_threads_make_no_configuration(sweep: Path) -> None:
    comparison = compared(sweep)
    assert [item.name for item in comparison.configurations] == ["lr=0.0001", "lr=0.0003", "lr=0.001"]
    assert comparison.keys == ["method.lr"]
    assert [len(item.runs) for item in comparison.configurations] == [3, 3, 3]


def test_mean_and_deviation_are_the_samples_over_completed_runs(write_run: Any) -> None:
    values = [2.1, 2.4, 1.9, 2.2]
    for seed, value in enumerate(values):
        write_run(
            f"r{seed}", config=write_run.settings(seed), result=write_run.finished(seed, {"test/x": value})
        )
    failed = write_run.finished(9, {"test/x": 99.0}, status="failed")
    write_run("failed", config=write_run.settings(9), result=failed)
    (group,) = compared(write_run.parent).configurations
    summary = group.summary("test/x")
    assert summary is not None
    assert summary.mean == pytest.approx(np.mean(values))
    assert summary.sd == pytest.approx(np.std(values, ddof=1))
    assert summary.sd == pytest.approx(statistics.stdev(values))
    assert (summary.n, summary.of, summary.partial) == (4, 5, False)


def test_without_a_completed_run_the_latest_values_are_marked(write_run: Any) -> None:
    for seed in (1, 2):
        rows = [{"stage": "s", "step": 5, "validation/x": float(seed)}]
        write_run(f"r{seed}", config=write_run.settings(seed), rows=rows)
    (group,) = compared(write_run.parent).configurations
    summary = group.summary("validation/x")
    assert summary is not None
    assert (summary.mean, summary.n, summary.partial) == (1.5, 2, True)
    assert group.summary("validation/y") is None


def test_of_a_seed_run_twice_the_newest_counts_and_a_note_says_so(write_run: Any) -> None:
    for name, seed, value, age in (("a", 1, 5.0, 100), ("b", 1, 1.0, 200), ("c", 2, 3.0, 50)):
        folder = write_run(
            name, config=write_run.settings(seed), result=write_run.finished(seed, {"test/x": value})
        )
        os.utime(folder / "result.json", (age, age))
    comparison = compared(write_run.parent)
    summary = comparison.configurations[0].summary("test/x")
    assert summary is not None
    assert sorted(summary.values) == [1.0, 3.0]
    assert comparison.notes == ["realnvp-digits: seed 1 was completed 2 times; the newest counts"]


def test_runs_without_a_configuration_stand_alone(write_run: Any) -> None:
    for name in ("a", "b"):
        write_run(name, rows=[{"stage": "s", "step": 1, "x": 1.0}])
    assert [item.name for item in compared(write_run.parent).configurations] == ["a", "b"]


def test_an_ignored_key_joins_configurations(sweep: Path) -> None:
    comparison = compared(sweep, "method.*")
    assert [len(item.runs) for item in comparison.configurations] == [9]
    assert comparison.differences == {}


def test_methods_are_told_apart_by_their_names_alone(write_run: Any) -> None:
    for method in ("pixelcnn", "realnvp"):
        config = write_run.settings(1, **{f"of_{method}": 1})
        config["choices"]["method"] = method
        write_run(method, config=config, result=write_run.finished(1, {}))
    comparison = compared(write_run.parent)
    assert [item.name for item in comparison.configurations] == ["method=pixelcnn", "method=realnvp"]
    assert comparison.keys[0] == "method"
    assert set(comparison.keys[1:]) == {"method.of_pixelcnn", "method.of_realnvp"}


def test_keys_set_on_the_command_line_come_first() -> None:
    configs = [{"a.x": 1, "b.y": 1, "c.z": 1}, {"a.x": 2, "b.y": 2, "c.z": 1}]
    assert differing_keys(configs) == ["a.x", "b.y"]
    assert differing_keys(configs, ["+b.y=2"]) == ["b.y", "a.x"]
    assert labels(configs, ["b.y", "a.x"], ["one", "two"]) == ["y=1", "y=2"]


def test_a_label_has_just_the_keys_that_tell_apart_and_whole_names_where_ends_meet() -> None:
    configs = [{"g.lr": 1, "d.lr": 1}, {"g.lr": 1, "d.lr": 2}, {"g.lr": 2, "d.lr": 2}]
    assert labels(configs, ["g.lr", "d.lr"], list("abc")) == [
        "g.lr=1, d.lr=1",
        "g.lr=1, d.lr=2",
        "g.lr=2, d.lr=2",
    ]
    assert labels([{"a": "x"}, {"a": "x", "b": 1}], ["b"], ["one", "two"]) == ["one", "b=1"]


def test_values_are_compared_by_what_they_mean() -> None:
    assert canonical(1) == canonical(1.0)
    assert canonical(1) != canonical(True)
    assert canonical({"a": 1, "b": 2}) == canonical({"b": 2, "a": 1})
    assert canonical(None) != canonical("null")


def test_a_shown_value_stays_in_its_line() -> None:
    assert show("a\nb\x1b[31m") == '"a\\nb\\u001b[31m"'
    assert show(1e-05) == "1e-05"
    assert show([1, "ü"]) == '[1, "ü"]'
    assert show("") == '""'


def test_what_was_not_made_alike_is_told(write_run: Any) -> None:
    for seed, device in ((1, "cpu"), (2, "cuda:0"), (3, "cpu")):
        git = {"commit": "abc", "dirty": False}
        result = write_run.finished(seed, {"test/x": 1.0}, device=device, git=git)
        write_run(f"r{seed}", config=write_run.settings(seed), result=result)
    write_run("running", config=write_run.settings(4), rows=[])
    assert compared(write_run.parent).environment == {"device": {"cpu": ["r1", "r3"], "cuda:0": ["r2"]}}


def test_metrics_are_in_the_order_of_splits_and_names(write_run: Any) -> None:
    names = ["test/x", "test/x_low", "test/x_high", "test/x_2", "test/x_16", "validation/x", "gap"]
    result = write_run.finished(1, dict.fromkeys(sorted(names), 1.0))
    write_run("a", config=write_run.settings(1), result=result)
    assert compared(write_run.parent).metrics == names
