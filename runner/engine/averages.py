"""Exponential moving averages of parameters, kept by the loop and swapped in while a stage is evaluated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


class Averages:
    """Averages `a <- decay * a + (1 - decay) * parameter` of the parameters of some modules.

    Early averages would remember the initialisation, so the decay at step t is at most `(1 + t) / (10 + t)`.
    """

    def __init__(self, modules: Mapping[str, nn.Module], decay: float) -> None:
        self.decay, self.steps = decay, 0
        named = {v: f"{m}.{p}" for m, module in modules.items() for p, v in module.named_parameters()}
        # By parameter first: two modules may share some, and swapping those twice would undo it.
        self._parameters = {name: parameter for parameter, name in named.items()}
        self.values = {name: parameter.detach().clone() for name, parameter in self._parameters.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Takes in the parameters as they are after a step."""
        weight = 1 - min(self.decay, (1 + self.steps) / (10 + self.steps))
        self.steps += 1
        torch._foreach_lerp_(
            list(self.values.values()), [p.detach() for p in self._parameters.values()], weight
        )

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The averages in the place of the parameters."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def keep(self) -> None:
        """Puts the averages in the place of the parameters, for good."""
        self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for name, parameter in self._parameters.items():
            value = parameter.detach().clone()
            parameter.copy_(self.values[name])
            self.values[name].copy_(value)

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self.steps, "values": self.values}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.steps = int(state["steps"])
        for name, value in self.values.items():
            saved: Tensor = state["values"][name]
            value.copy_(saved)
