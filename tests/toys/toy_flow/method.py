"""Density estimation in the plane with affine couplings and flow batch normalisation."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from datasets.types import Shuffle
from runner.api import Inputs, Method, Metrics, Picture, Stage, TrainStage, Update

from .config import FlowConfig


class Coupling(nn.Module):
    """One coordinate is scaled and shifted by what the other says (section 3.3)."""

    def __init__(self, moved: int, config: FlowConfig) -> None:
        super().__init__()
        self.moved = moved
        self.net = nn.Sequential(
            nn.Linear(1, config.width), nn.Tanh(), nn.Dropout(config.dropout), nn.Linear(config.width, 2)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """`x` `[B, 2]` to its image and the log-determinant `[B]`."""
        kept = x[:, 1 - self.moved]
        scale, shift = self.net(kept[:, None]).float().unbind(1)
        scale = scale.tanh()
        moved = x[:, self.moved] * scale.exp() + shift
        pair = (moved, kept) if self.moved == 0 else (kept, moved)
        return torch.stack(pair, 1), scale


class FlowNorm(nn.Module):
    """Batch normalisation as a layer of a flow, with running moments for evaluation (section 3.7)."""

    mean: Tensor
    variance: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(2))
        self.register_buffer("variance", torch.ones(2))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """`x` `[B, 2]` to its image and the log-determinant `[B]`."""
        mean, variance = self.mean, self.variance
        if self.training and len(x) > 1:
            mean, variance = x.mean(0), x.var(0, unbiased=False)
            self.mean.lerp_(mean.detach(), 0.1)
            self.variance.lerp_(variance.detach(), 0.1)
        variance = variance + 1e-5
        log_det = -0.5 * variance.log().sum()
        return (x - mean) * variance.rsqrt(), log_det.expand(len(x))


class Flow(nn.Module):
    """Couplings that take turns, with a norm between them."""

    def __init__(self, config: FlowConfig) -> None:
        super().__init__()
        pairs = [(Coupling(i % 2, config), FlowNorm()) for i in range(config.couplings)]
        self.layers = nn.ModuleList([layer for pair in pairs for layer in pair])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Latents `[B, 2]` and log-determinants `[B]`."""
        total = x.new_zeros(len(x))
        for layer in self.layers:
            x, log_det = layer(x)
            total = total + log_det
        return x, total

    def nats(self, x: Tensor) -> Tensor:
        """Negative log-likelihood `[B]` under a standard normal prior (equation 3)."""
        z, log_det = self(x)
        return 0.5 * z.square().sum(1) + math.log(2 * math.pi) - log_det


class FlowMethod(Method):
    """One stage that fits the density."""

    def stages(self) -> list[Stage]:
        return [Density(self.config)]


class Density(TrainStage):
    """Maximises the likelihood of the points."""

    name = "density"
    monitor = "validation/nats"

    def __init__(self, config: FlowConfig) -> None:
        self.config = config

    def build(self, inputs: Inputs) -> None:
        self.inputs, self.data = inputs, inputs.data
        self.flow = Flow(self.config).to(inputs.device)
        self.optimizer = torch.optim.Adam(self.flow.parameters(), lr=self.config.lr)
        self.tracked: dict[str, Any] = {"flow": self.flow, "optimizer": self.optimizer}
        self.order = Shuffle(len(self.data.train), inputs.batch_size, inputs.seed)

    def sample(self, step: int) -> Tensor:
        return self.order(step)

    def batch(self, index: Tensor) -> Tensor:
        points: Tensor = self.data.train.batch(index)
        return points + 0.01 * torch.randn(points.shape)

    def rates(self, step: int) -> dict[str, float]:
        return {"optimizer": self.config.lr * min(1.0, (step + 1) / (self.config.warmup + 1))}

    def step(self, batch: Tensor, update: Update, step: int) -> Metrics:
        self.flow.train()
        return update.minimise(self.optimizer, self.loss, batch)

    def loss(self, points: Tensor) -> tuple[Tensor, Metrics]:
        """Mean nats of `points` `[B, 2]`."""
        return self.flow.nats(points).mean(), {}

    @torch.no_grad()
    def evaluate(self, split: str, tick: Callable[[], None]) -> Metrics:
        self.flow.eval()
        part, total = getattr(self.data, split), 0.0
        for points, _ in self.inputs.share(part, self.inputs.batch_size):
            tick()
            total += 0.0 if points is None else self.flow.nats(points).double().sum().item()
        return {f"{split}/nats": self.inputs.total({"nats": total})["nats"] / len(part)}

    @torch.no_grad()
    def figures(self) -> dict[str, Picture]:
        """The density on a grid over [-2, 2], brightest where it is highest."""
        self.flow.eval()
        axis = torch.linspace(-2, 2, 32, device=self.inputs.device)
        points = torch.cartesian_prod(axis, axis)
        density = (-self.flow.nats(points)).exp()
        return {"density": (255 * density / density.max()).to(torch.uint8).reshape(32, 32)}
