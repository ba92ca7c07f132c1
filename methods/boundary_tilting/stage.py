"""The path as a stage: a step is one strength of regularisation, from strong to weak."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from datasets.types import Images
from methods.boundary_tilting import figures, images, report
from methods.boundary_tilting.config import TiltingConfig
from methods.boundary_tilting.linear.closed import discriminant, ridge
from methods.boundary_tilting.linear.hyperplane import Hyperplane
from methods.boundary_tilting.linear.pair import Pair
from methods.boundary_tilting.linear.path import fitted
from methods.boundary_tilting.linear.tilt import tilt
from runner.api import Inputs, Metrics, Picture, TrainStage, Update


class Planes:
    """The classifiers found so far, in order."""

    def __init__(self) -> None:
        self.found: list[Hyperplane] = []

    def state_dict(self) -> dict[str, Any]:
        return {"w": [plane.w for plane in self.found], "b": [plane.b for plane in self.found]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.found = [Hyperplane(w, b) for w, b in zip(state["w"], state["b"], strict=True)]


class TiltStage(TrainStage):
    """Fits a linear classifier at each strength, and measures how it is tilted.

    Attributes:
        pair: the training images of both classes as points, as many of each.
        strengths: C of each step.
        beside: classifiers in closed form, by their name.
        planes: what was found.
    """

    name = "path"

    def __init__(self, config: TiltingConfig) -> None:
        self.config, self.length = config, len(config.c)

    def build(self, inputs: Inputs) -> None:
        data: Images = inputs.data
        images.two_classes(data)
        self.inputs, self.data, self.planes = inputs, data, Planes()
        self.tracked = {"planes": self.planes}
        pixels, y = images.read(data.train.plain, self.config.per_class, data.levels)
        self.labels = images.flipped(y, self.config.flipped)
        self.pixels = pixels.to(inputs.device)
        self.pair = self.sized(self.config.side)
        self.strengths = self.scaled(self.pair)
        self.beside = self._closed()

    def _closed(self) -> dict[str, Hyperplane]:
        """Classifiers in closed form, by their name."""
        c, found = self.config, dict[str, Hyperplane]()
        for name, key, make, value in (
            ("ridge", "ridge", ridge, c.ridge),
            ("discriminant", "shrinkage", discriminant, c.shrinkage),
        ):
            try:
                found[name] = make(self.pair, value)
            except ValueError as error:
                raise ValueError(f"method.{key}={error}") from None
        return found

    def sized(self, side: int | None) -> Pair:
        """The training images at a side."""
        return images.points(images.resized(self.pixels, side), self.labels.to(self.pixels))

    def scaled(self, pair: Pair) -> list[float]:
        """C of each step for these points: as it is, or over their mean squared norm."""
        by = float(pair.x.square().sum(1).mean()) if self.config.scale_c else 1.0
        return [c / by for c in self.config.c]

    def sample(self, step: int) -> Tensor:
        return torch.tensor([step])

    def batch(self, index: Tensor) -> Tensor:
        return index

    def step(self, batch: Tensor, update: Update, step: int) -> Metrics:
        found = self.planes.found
        before = (self.strengths[step - 1], found[-1]) if found else None
        plane = fitted(self.pair, self.config.loss, self.strengths[step], before)
        found.append(plane)
        wrong = plane.errors(self.pair.x, self.pair.y).double().mean()
        return {"error": wrong, **tilt(plane, self.pair)._asdict()}

    def evaluate(self, split: str, tick: Callable[[], None]) -> Metrics:
        tick()
        found = report.along(self, split) | report.apart(self, split) | report.tilting(self, split)
        return {f"{split}/{name}": value for name, value in found.items()}

    def figures(self) -> dict[str, Picture]:
        return figures.all_of(self)

    def part(self, split: str) -> tuple[Tensor, Tensor]:
        """All images `[n, d]` and labels `[n]` of a part."""
        whole = getattr(self.data, split).plain
        batch = whole.batch(torch.arange(len(whole)))
        pixels = batch.images.to(self.inputs.device).double() / (self.data.levels - 1)
        y = (2 * batch.labels - 1).to(self.inputs.device).double()
        return images.resized(pixels, self.config.side).flatten(1), y

    @cached_property
    def _validation(self) -> tuple[Tensor, Tensor]:
        return self.part("validation")

    @property
    def chosen(self) -> int:
        """The step whose classifier makes the fewest errors on validation images, the earliest of them."""
        x, y = self._validation
        wrong = [int(plane.errors(x, y).sum()) for plane in self.planes.found]
        return wrong.index(min(wrong))
