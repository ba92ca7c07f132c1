"""What is read of a job's log while it runs."""

from __future__ import annotations

import math
from pathlib import Path

from runner.engine.journal import METRICS, line
from runner.search.progress import intermediate


def write(folder: Path) -> None:
    rows = [
        ("first", 10, {"validation/x": 9.0}),
        ("last", 5, {"train/x": 1.0}),
        ("last", 10, {"validation/x": 2.0}),
        ("last", 20, {"validation/x": math.nan, "validation/y": 7.0}),
        ("last", 30, {"validation/x": 1.0}),
        ("last", 30, {"final/validation/x": 0.5}),
    ]
    (folder / METRICS).write_bytes(
        b"".join(line(*row) for row in rows) + b'{"stage": "last", "step": 40, "va'
    )


def test_evaluations_after_a_step_are_read_once_each(tmp_path: Path) -> None:
    write(tmp_path)
    found = list(intermediate(tmp_path, "validation/x", stage="last"))
    assert [step for step, _ in found] == [10, 20, 30]
    assert found[0][1] == 2.0
    assert math.isnan(found[1][1])
    assert list(intermediate(tmp_path, "validation/x", 20, "last")) == [(30, 1.0)]
    assert list(intermediate(tmp_path, "validation/x", 30)) == []


def test_without_a_stage_all_are_read(tmp_path: Path) -> None:
    write(tmp_path)
    assert [step for step, _ in intermediate(tmp_path, "validation/x")] == [10, 10, 20, 30]
    assert list(intermediate(tmp_path, "validation/none")) == []


def test_a_job_that_has_written_nothing_has_nothing(tmp_path: Path) -> None:
    assert list(intermediate(tmp_path, "validation/x")) == []
