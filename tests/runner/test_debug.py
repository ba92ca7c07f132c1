"""The debug presets that look into a run: overfit, nan, profile (fast and limit are used by other tests)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.runner.conftest import Run

TOYS = f"methods.path=[{Path(__file__).parents[1] / 'toys'}]"
FAULTY = ["method=toy_faulty", TOYS, "debug=nan", "device=cpu", "outputs=out", "threads=1"]


def the_only(place: Path) -> Path:
    (folder,) = (place / "out").glob("*/*")
    return folder


def result(place: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((the_only(place) / "result.json").read_text())
    return found


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ("loss", "made by mul in toy_faulty/method.py"),
        ("gradient", "made by mul in the backward pass of toy_faulty/method.py"),
    ],
)
def test_nan_names_the_step_the_operation_and_the_line(
    run: Run, tmp_path: Path, fault: str, cause: str
) -> None:
    done = run(*FAULTY, f"method.fault={fault}", "method.at=7", cwd=tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    error = result(tmp_path)["error"]
    assert error.startswith("step 7: ")
    assert cause in error
    assert "mse = mse" in error
    assert error in done.stderr


def test_nan_changes_nothing_of_a_run_without_one(run: Run, tmp_path: Path) -> None:
    words = [
        "method=realnvp",
        "dataset=digits",
        "debug=fast",
        "trainer.steps=4",
        "threads=1",
        "method.width=4",
        "outputs=out",
    ]
    metrics = []
    for name in ("false", "true"):
        place = tmp_path / name
        place.mkdir()
        assert run(*words, f"debug.nan={name}", cwd=place).returncode == 0
        metrics.append(result(place)["metrics"])
    assert metrics[0] == metrics[1]


def test_profile_leaves_a_table_and_a_trace_and_no_noise(run: Run, tmp_path: Path) -> None:
    done = run(
        "method=realnvp", "debug=profile", "dataset.limit=64", "outputs=out", "threads=1", "method.blocks=1",
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    figures = the_only(tmp_path) / "figures"
    assert "aten::convolution" in (figures / "profile.txt").read_text()
    assert len(json.loads((figures / "profile.json").read_text())["traceEvents"]) > 100
    assert "profile.json, profile.txt" in done.stdout
    assert all(line.startswith(("realnvp", "folder", "density", "  ", "curves", "pictures"))
               for line in done.stdout.splitlines())  # fmt: skip


def test_overfit_learns_one_batch_by_heart(run: Run, tmp_path: Path) -> None:
    done = run(
        "method=realnvp", "debug=overfit", "dataset.batch_size=8", "outputs=out", "threads=1",
        "trainer.steps=100", "method.width=8", "dataset.limit=64",
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = (the_only(tmp_path) / "metrics.jsonl").read_text().splitlines()
    losses = [
        entry["train/bits_per_dim"] for entry in map(json.loads, lines) if "train/bits_per_dim" in entry
    ]
    assert losses[-1] < losses[0] - 2
    assert result(tmp_path)["metrics"]["test/bits_per_dim"] > losses[-1] + 1
