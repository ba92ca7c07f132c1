"""Decisions without training: from pixels, or from an encoder that is as it was initialised."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from datasets.types import ClassSplit, EpisodeSampler
from methods.common.fewshot.conv4 import Conv4
from methods.common.norm.recalibrate import recalibrated
from methods.protonet.baselines import accuracies
from methods.protonet.config import NeighboursConfig
from methods.protonet.episodes import Sizes
from runner.api import ComputeStage, Inputs, Method, Metrics, Stage, Work

BATCH = 500
"""Images of a pass."""

MOST = 2000
"""Training images of which an untrained encoder has its moments, about."""


class NeighboursStage(ComputeStage):
    """Nearest images or means, or a logistic regression, on the test episodes of the other methods."""

    name = "fewshot"

    def __init__(self, config: NeighboursConfig) -> None:
        self.config = config

    def build(self, inputs: Inputs) -> None:
        self.inputs, self.data, c = inputs, inputs.data, self.config
        self.sizes = Sizes(c, self.data, inputs.seed)
        self.sizes.check()
        self.encoder = None
        if c.space == "untrained":
            self.encoder = Conv4(self.data.shape, c.filters, c.blocks).to(inputs.device)

    def run(self, work: Work, inputs: Inputs) -> Metrics:
        return {**self.evaluate("validation", lambda: None), **self.evaluate("test", lambda: None)}

    @torch.no_grad()
    def evaluate(self, split: str, tick: Callable[[], None]) -> Metrics:
        known = self._known(getattr(self.data, split))

        def answers(sampler: EpisodeSampler) -> tuple[Tensor, Tensor]:
            tick()
            found = accuracies(sampler, known, self.config.by)
            return found, 1 - found  # no probabilities: the loss of 0 and 1

        return self.sizes.summed(split, answers)

    def _known(self, part: ClassSplit) -> Tensor:
        """All images of a part as vectors float32 `[N, D]`."""
        images, encoder = self._scaled(part.images), self.encoder
        if encoder is None:
            return images.flatten(1).to(self.inputs.device)
        trained = self.data.train.images
        some = self._scaled(trained[:: max(1, len(trained) // MOST)])
        with recalibrated(encoder, (x.to(self.inputs.device) for x in some.split(BATCH))):
            return torch.cat([encoder(x.to(self.inputs.device)) for x in images.split(BATCH)])

    def _scaled(self, images: Tensor) -> Tensor:
        return images if self.data.levels is None else images.float() / (self.data.levels - 1)


class NeighboursMethod(Method):
    """One stage that computes."""

    def stages(self) -> list[Stage]:
        return [NeighboursStage(self.config)]
