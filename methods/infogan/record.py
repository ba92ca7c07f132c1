"""What is told of the codes while the game goes on, for a figure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

OVER = 50
"""Batches whose mean is a point: a batch's own bound is noisy."""


class Curve:
    """Means of the last batches' information, every so many steps.

    Attributes:
        every: steps between two points.
        steps: of the points.
        points: name to values, one for each of `steps`.
    """

    def __init__(self, every: int) -> None:
        self.every = every
        self.steps: list[int] = []
        self.points: dict[str, list[float]] = {}
        self._sums: dict[str, float] = {}
        self._seen = 0

    def add(self, step: int, metrics: Mapping[str, Any]) -> None:
        """Takes what the `step`-th step, counted from 1, logged as `mi_...`."""
        if (self.every - step % self.every) % self.every >= min(OVER, self.every):
            return
        self._seen += 1
        for name, value in metrics.items():
            if name.startswith("mi_"):
                number = value.item() if isinstance(value, Tensor) else float(value)
                self._sums[name] = self._sums.get(name, 0.0) + number
        if step % self.every == 0:
            self.steps.append(step)
            for name, total in self._sums.items():
                self.points.setdefault(name, []).append(total / self._seen)
            self._sums, self._seen = {}, 0

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self.steps, "points": self.points, "sums": self._sums, "seen": self._seen}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.steps, self._seen = list(state["steps"]), state["seen"]
        self.points = {name: list(values) for name, values in state["points"].items()}
        self._sums = dict(state["sums"])
