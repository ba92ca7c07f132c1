"""The comparison for machines: CSV and JSON, with numbers in full."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from runner.compare.differ import show
from runner.compare.group import Comparison, Configuration
from runner.compare.load import Run


def as_csv(comparison: Comparison, metrics: Sequence[str], per_run: bool) -> str:
    """One row per configuration, in which each metric has mean, sd and n, or one row per run."""
    if per_run:
        rows = [_run_row(comparison, *pair, metrics) for pair in _pairs(comparison)]
    else:
        rows = [_group_row(comparison, group, metrics) for group in comparison.configurations]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def as_json(comparison: Comparison, metrics: Sequence[str]) -> dict[str, Any]:
    """Everything that the table says, and every run by itself."""
    return {
        "configurations": [_group_json(comparison, group, metrics) for group in comparison.configurations],
        "runs": [_run_json(comparison, *pair, metrics) for pair in _pairs(comparison)],
        "differences": comparison.differences,
        "environment": comparison.environment,
        "notes": comparison.notes,
    }


def _pairs(comparison: Comparison) -> list[tuple[Configuration, Run]]:
    return [(group, run) for group in comparison.configurations for run in group.runs]


def _keys(comparison: Comparison, group: Configuration) -> dict[str, str]:
    return {key: show(group.config[key]) if key in group.config else "" for key in comparison.keys}


def _group_row(comparison: Comparison, group: Configuration, metrics: Sequence[str]) -> dict[str, Any]:
    row: dict[str, Any] = {"name": group.name} | _keys(comparison, group)
    row |= {"runs": len(group.runs), "completed": _states(group)["completed"], "steps": _most_steps(group)}
    for name in metrics:
        summary = group.summary(name)
        parts = (summary.mean, summary.sd, summary.n) if summary else (None, None, 0)
        row |= zip((f"{name} mean", f"{name} sd", f"{name} n"), parts, strict=True)
    return row | {"seconds": _mean_seconds(group)}


def _run_row(
    comparison: Comparison, group: Configuration, run: Run, metrics: Sequence[str]
) -> dict[str, Any]:
    row: dict[str, Any] = {"name": comparison.names[run.folder], "configuration": group.name}
    row |= _keys(comparison, group) | {"seed": run.seed, "status": run.status, "steps": run.steps}
    return (
        row | {name: run.metrics.get(name) for name in metrics} | {"seconds": run.seconds, "error": run.error}
    )


def _group_json(comparison: Comparison, group: Configuration, metrics: Sequence[str]) -> dict[str, Any]:
    summaries = {name: group.summary(name) for name in metrics}
    return {
        "name": group.name,
        "config": {key: group.config[key] for key in comparison.keys if key in group.config},
        "status": dict(_states(group)),
        "steps": _most_steps(group),
        "seconds": _mean_seconds(group),
        "metrics": {
            name: {
                "mean": found.mean,
                "sd": found.sd,
                "n": found.n,
                "partial": found.partial,
                "values": found.values,
            }
            for name, found in summaries.items()
            if found
        },
    }


def _run_json(
    comparison: Comparison, group: Configuration, run: Run, metrics: Sequence[str]
) -> dict[str, Any]:
    return {
        "name": comparison.names[run.folder],
        "folder": str(run.folder),
        "configuration": group.name,
        "counted": run in group.counted,
        "seed": run.seed,
        "status": run.status,
        "error": run.error,
        "steps": run.steps,
        "seconds": run.seconds,
        "overrides": run.overrides,
        "metrics": {name: run.metrics[name] for name in metrics if name in run.metrics},
    }


def _states(group: Configuration) -> Counter[str]:
    return Counter(run.status for run in group.runs)


def _most_steps(group: Configuration) -> int | None:
    return max((run.steps for run in group.runs if run.steps is not None), default=None)


def _mean_seconds(group: Configuration) -> float | None:
    known = [run.seconds for run in group.counted if run.seconds is not None]
    return fmean(known) if known else None
