"""A GAN in the plane: two optimisers, several discriminator steps for one of the generator (algorithm 1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from datasets.types import Shuffle
from runner.api import Inputs, Method, Metrics, Picture, Stage, TrainStage, Update

from .config import GanConfig


def network(inputs: int, c: GanConfig, outputs: int) -> nn.Sequential:
    """Two layers with or without batch normalisation between them."""
    norm = nn.BatchNorm1d(c.width) if c.norm == "batch" else nn.Identity()
    return nn.Sequential(nn.Linear(inputs, c.width), norm, nn.LeakyReLU(0.2), nn.Linear(c.width, outputs))


def energy_distance(x: Tensor, y: Tensor) -> Tensor:
    """Energy distance of two samples `[N, D]` and `[M, D]`; 0 where they agree (Szekely and Rizzo, 2013)."""
    return 2 * torch.cdist(x, y).mean() - torch.cdist(x, x).mean() - torch.cdist(y, y).mean()


class GanMethod(Method):
    """One stage, in which both networks are trained."""

    def stages(self) -> list[Stage]:
        return [Game(self.config)]


class Game(TrainStage):
    """The discriminator tells points from samples; the generator makes that hard (non-saturating loss)."""

    name = "game"
    averaged = ("generator",)

    def __init__(self, config: GanConfig) -> None:
        self.config = config

    def build(self, inputs: Inputs) -> None:
        c, self.inputs, self.data = self.config, inputs, inputs.data
        self.generator = network(c.latent, c, 2).to(inputs.device)
        self.discriminator = network(2, c, 1).to(inputs.device)
        self.g_optimizer = torch.optim.Adam(self.generator.parameters(), lr=c.lr, betas=(0.5, 0.999))
        self.d_optimizer = torch.optim.SGD(self.discriminator.parameters(), lr=c.d_lr, momentum=0.9)
        self.tracked: dict[str, Any] = {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "g_optimizer": self.g_optimizer,
            "d_optimizer": self.d_optimizer,
        }
        self.order = Shuffle(len(self.data.train), c.d_steps * inputs.batch_size, inputs.seed)

    def sample(self, step: int) -> Tensor:
        """Indices `[B, d_steps]`: a column for each step of the discriminator, so that rows can be shared."""
        return self.order(step).reshape(self.config.d_steps, -1).T

    def batch(self, index: Tensor) -> Tensor:
        points: Tensor = self.data.train.batch(index.flatten())
        return points.unflatten(0, index.shape)

    def rates(self, step: int) -> dict[str, float]:
        return {"g_optimizer": self.config.lr, "d_optimizer": self.config.d_lr}

    def step(self, batch: Tensor, update: Update, step: int) -> Metrics:
        self.generator.train()
        self.discriminator.train()
        for points in batch.unbind(1):
            found = update.minimise(self.d_optimizer, self.d_loss, points)
        metrics = {"d_loss": found["loss"], "d_accuracy": found["accuracy"]}
        metrics["g_loss"] = update.minimise(self.g_optimizer, self.g_loss, self.noise(len(points)))["loss"]
        return metrics

    def noise(self, count: int) -> Tensor:
        """Latents `[count, latent]`."""
        return torch.randn(count, self.config.latent, device=self.inputs.device)

    def d_loss(self, points: Tensor) -> tuple[Tensor, Metrics]:
        """Cross-entropy of telling `points` from as many samples."""
        with torch.no_grad():
            samples = self.generator(self.noise(len(points)))
        real, fake = self.discriminator(points), self.discriminator(samples.float())
        accuracy = ((real > 0).float().mean() + (fake < 0).float().mean()) / 2
        return softplus(-real).mean() + softplus(fake).mean(), {"accuracy": accuracy}

    def g_loss(self, noise: Tensor) -> tuple[Tensor, Metrics]:
        """Cross-entropy of passing samples off as points."""
        return softplus(-self.discriminator(self.generator(noise))).mean(), {}

    @torch.no_grad()
    def samples(self, count: int) -> Tensor:
        """Samples `[count, 2]` of the generator as it is evaluated."""
        self.generator.eval()
        points: Tensor = self.generator(self.noise(count))
        return points

    @torch.no_grad()
    def evaluate(self, split: str, tick: Callable[[], None]) -> Metrics:
        tick()
        points = getattr(self.data, split).points.to(self.inputs.device)
        return {f"{split}/energy_distance": energy_distance(self.samples(len(points)), points)}

    def figures(self) -> dict[str, Picture]:
        """A histogram of samples on [-2, 2]."""
        cells = ((self.samples(512) + 2) * 8).long().clamp(0, 31)
        counts = torch.bincount(cells[:, 0] * 32 + cells[:, 1], minlength=32 * 32).clamp(max=15)
        return {"samples": (17 * counts).to(torch.uint8).reshape(32, 32)}
