"""What looks on while a classifier trains."""

from __future__ import annotations

from typing import Any, Protocol

from torch import nn

from datasets.types import ImageBatch, Images
from runner.api import Inputs, Metrics, Picture


class Probe(Protocol):
    """A measurement during training; it changes nothing of what is learned.

    Attributes:
        name: under which its state is kept in checkpoints.
    """

    name: str

    def begin(self, model: nn.Module, data: Images, inputs: Inputs) -> None:
        """Called when the model was built."""

    def before(self, step: int, batch: ImageBatch) -> None:
        """Called before each update, numbered from 0."""

    def after(self, step: int, batch: ImageBatch) -> Metrics:
        """Called after each update; returns what to log of it."""

    def metrics(self) -> Metrics:
        """What was found until now, for the results of an evaluation."""

    def figures(self) -> dict[str, Picture]:
        """Pictures by name."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> Any: ...
