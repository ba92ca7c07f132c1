"""The errors of the last few evaluations, and their median."""

from __future__ import annotations

from statistics import median
from typing import Any

LAST = 5


class Recent:
    """Errors of the last five evaluations in training, whose median Wu and He report (section 4.1).

    Attributes:
        step: steps taken until now.
    """

    def __init__(self) -> None:
        self.step = 0
        self.errors: dict[int, float] = {}

    def add(self, error: float) -> None:
        """Takes the error at the present step; the first one stays, since the best weights come later."""
        self.errors.setdefault(self.step, error)
        self.errors = dict(list(self.errors.items())[-LAST:])

    @property
    def median(self) -> float:
        """Median of the errors that are kept."""
        return median(self.errors.values())

    def state_dict(self) -> dict[str, Any]:
        return {"step": self.step, "steps": list(self.errors), "errors": list(self.errors.values())}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes up what was kept; a checkpoint of an earlier step, the best one, takes nothing away."""
        if state["step"] >= self.step:
            self.step = state["step"]
            self.errors = dict(zip(state["steps"], state["errors"], strict=True))
