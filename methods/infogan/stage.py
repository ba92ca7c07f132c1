"""The game as a stage: trained, evaluated and drawn."""

from __future__ import annotations

from collections.abc import Callable

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from methods.infogan import clusters, figures, look
from methods.infogan.codes import Code
from methods.infogan.config import GanConfig
from methods.infogan.effects import effects
from methods.infogan.game import Game
from methods.infogan.judge import Convolutional, Judge
from methods.infogan.known import known
from methods.infogan.seeded import seeded
from runner.api import Inputs, Metrics, Picture

SHOWN = 10
"""Samples in the figure of nearest neighbours."""


class InfoGANStage(Game):
    """The game, and what an evaluation makes of it."""

    def __init__(self, config: GanConfig) -> None:
        super().__init__(config)
        self.needs = {Judge.name: None} if config.judge_steps else {}

    def build(self, inputs: Inputs) -> None:
        super().build(inputs)
        self.judge: nn.Module | None = None
        if self.config.judge_steps:
            self.judge = Convolutional(self.data.shape, len(self.data.classes)).to(inputs.device).eval()
            self.judge.load_state_dict(inputs.artifacts[Judge.name].load()["net"])

    @torch.no_grad()
    def evaluate(self, split: str, tick: Callable[[], None]) -> Metrics:
        self._still()
        return {
            **look.information(self, split, tick),
            **look.groups(self, split, tick),
            **look.appearance(self, split, tick),
            **known(self, split, tick),
            **effects(self, split, tick),
            **look.samples(self, self.judge, split, tick),
        }

    @torch.no_grad()
    def figures(self) -> dict[str, Picture]:
        self._still()
        found: dict[str, Picture] = {
            f"traversal_{code.name}": figures.draw_traversal(*self.traversed(code))
            for code in self.codes.codes
        }
        if self.curve.steps:
            found["information"] = figures.draw_curve(self.curve, self.codes)
        if self.codes.categorical:
            found["confusion"] = self._confusion()
        found["neighbours"] = self._neighbours()
        return found

    def traversed(self, code: Code) -> tuple[Tensor, Code, Tensor]:
        """Samples along `code`, the code, and its values; noise and other codes are the same along a row."""
        values = self.codes.grid(code)
        with seeded():
            codes = self.codes.draw(self.config.rows)
            noise = self.noise(self.config.rows, "cpu")
        inputs = torch.cat(
            (noise.repeat_interleave(len(values), 0), self.codes.traversal(code, codes, values)), 1
        )
        return self.unit(self.generator(inputs.to(self.inputs.device))).cpu(), code, values

    def _confusion(self) -> Figure:
        code = self.codes.categorical[0]
        shape = (code.values, len(self.data.classes))
        fitted, counts = (
            clusters.table(
                self.codes.best(look.read(self, part, lambda: None), code), look.labels(self, part), shape
            )
            for part in ("train", "test")
        )
        return figures.draw_confusion(counts, self.data.classes, clusters.one_to_one(fitted))

    def _neighbours(self) -> Picture:
        fakes = self.unit(next(look.made(self))[0][:SHOWN])
        nearest = torch.full((SHOWN,), torch.inf, device=fakes.device)
        found = torch.zeros_like(fakes)
        for batch in look.images(self, "train"):
            real = batch.images.float() / (self.data.levels - 1)
            distances, places = torch.cdist(fakes.flatten(1), real.flatten(1)).min(1)
            closer = distances < nearest
            nearest[closer], found[closer] = distances[closer], real[places[closer]]
        return figures.draw_neighbours(fakes, found)

    def _still(self) -> None:
        for module in (self.generator, self.discriminator, self.guess, self.trunk):
            module.eval()
