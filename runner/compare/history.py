"""The curves of one run as they were logged."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner.compare.load import Run, number, read_rows

Numbers = NDArray[np.float64]


def read_history(run: Run) -> dict[tuple[str, str], tuple[Numbers, Numbers]]:
    """Steps [N] and values [N] of each (stage, metric) of a run; what is not finite is left out."""
    parts: dict[tuple[str, str], list[tuple[Numbers, Numbers]]] = {}
    for rows in read_rows(run.folder / "metrics.jsonl", run.warnings):
        for alike in _alike(rows):
            stage = str(alike[0].get("stage", ""))
            steps = _floats([row.get("step") for row in alike])
            for name in [name for name in alike[0] if name not in ("stage", "step")]:
                values = _floats([row[name] for row in alike])
                kept = np.isfinite(steps) & np.isfinite(values)
                parts.setdefault((stage, name), []).append((steps[kept], values[kept]))
    joined = {key: np.concatenate([np.stack(pair) for pair in pairs], axis=1) for key, pairs in parts.items()}
    return {key: (points[0], points[1]) for key, points in joined.items() if points.size}


def _alike(rows: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Rows of one stage and the same names: their columns are read at once, in a quarter of the time."""
    kinds: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        kinds.setdefault((str(row.get("stage")), *row), []).append(row)
    return list(kinds.values())


def _floats(values: list[Any]) -> Numbers:
    """The values [N] as numbers, NaN for those that are none."""
    try:
        found = np.array(values, dtype=np.float64)
        if found.ndim == 1:
            return found
    except (TypeError, ValueError, OverflowError):
        pass
    return np.array([np.nan if (known := number(value)) is None else known for value in values])
