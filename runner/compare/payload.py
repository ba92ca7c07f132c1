"""The curves of a comparison as JSON for the page, thinned until they fit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from runner.compare.curves import POINTS, Numbers
from runner.compare.group import Comparison
from runner.compare.panels import Line, Panel

# About 14 letters a point: some 5 MB of curves at most.
MOST_POINTS = 400_000
FEWEST = 64


class Steps:
    """Lists of steps, each kept once: most curves of a comparison share theirs."""

    def __init__(self) -> None:
        self.lists: list[list[float]] = []
        self._known: dict[bytes, int] = {}

    def place(self, steps: Numbers) -> int:
        """The position of `steps` among the lists."""
        known = self._known.setdefault(steps.tobytes(), len(self.lists))
        if known == len(self.lists):
            self.lists.append([_short(step, 12) for step in steps])
        return known


def make_payload(panels: Sequence[Panel], comparison: Comparison, log: bool, log_x: bool) -> dict[str, Any]:
    """What the page's script draws: configurations, metrics and, for each metric, lines and seeds."""
    points = _points_each(panels)
    steps = Steps()
    metrics = [{"name": panel.title, "lines": _lines(panel, comparison, steps, points)} for panel in panels]
    return {
        "configurations": [
            {"name": item.name, "n": len(item.counted), "runs": len(item.runs)}
            for item in comparison.configurations
        ],
        "metrics": metrics,
        "steps": steps.lists,
        "log": log,
        "logX": log_x,
    }


def embed(payload: Any) -> str:
    """JSON that may stand inside a script element: nothing in it can end the element or open a comment."""
    text = json.dumps(payload, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _points_each(panels: Sequence[Panel]) -> int:
    curves = sum(len(line.seeds) + 2 for panel in panels for line in panel.lines.values())
    return max(FEWEST, min(POINTS, MOST_POINTS // max(curves, 1)))


def _lines(panel: Panel, comparison: Comparison, steps: Steps, points: int) -> list[dict[str, Any]]:
    return [
        {
            "configuration": position,
            **_band(line, steps, points),
            "seeds": _seeds(line, comparison, steps, points),
        }
        for position, line in panel.lines.items()
    ]


def _band(line: Line, steps: Steps, points: int) -> dict[str, Any]:
    if line.band is None:
        return {"band": None}
    band = line.band.thinned(points)
    sd = None if band.sd is None else [_short(value) for value in band.sd]
    mean = [_short(value) for value in band.mean]
    ends = None if band.ends is None else [[_short(value) for value in end] for end in band.ends]
    return {"band": {"at": steps.place(band.steps), "mean": mean, "sd": sd, "ends": ends, "n": band.n}}


def _seeds(line: Line, comparison: Comparison, steps: Steps, points: int) -> list[dict[str, Any]]:
    # the only run of a configuration is its band already
    alone = line.band is not None and line.band.n == 1
    seeds = [seed for seed in line.seeds if not (alone and seed.counted and seed.run.status == "completed")]
    return [
        {
            "name": comparison.names[seed.run.folder],
            "seed": seed.run.seed,
            "status": seed.run.status,
            "counted": seed.counted,
            "at": steps.place(seed.curve.thinned(points).steps),
            "values": [_short(value) for value in seed.curve.thinned(points).values],
        }
        for seed in seeds
    ]


def _short(value: float, digits: int = 6) -> float | int:
    number = float(f"{value:.{digits}g}")
    return int(number) if number.is_integer() and abs(number) < 1e15 else number
