"""Predicts one coordinate from the other, with faults on request."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from datasets.types import Shuffle
from runner.api import Inputs, Method, Metrics, Stage, TrainStage, Update

from .config import FaultyConfig


class Line(nn.Module):
    """A line, with a buffer that nothing needs."""

    seen: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(1, 1)
        self.register_buffer("seen", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """`[B, 1]` to `[B, 1]`."""
        y: Tensor = self.linear(x)
        return y


def happen(fault: str) -> None:
    """Lets happen what ends or holds up a process."""
    if fault == "raise" or (fault == "second" and os.environ.get("RANK") == "1"):
        raise RuntimeError("this was asked for")
    if fault == "exit":
        sys.exit(3)
    if fault == "leave":
        os._exit(3)
    if fault == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if fault in ("hang", "deaf"):
        time.sleep(3600)
    if fault in ("kill", "crash"):
        os.kill(os.getpid(), signal.SIGKILL if fault == "kill" else signal.SIGSEGV)


class FaultyMethod(Method):
    """One stage."""

    def stages(self) -> list[Stage]:
        return [Fitting(self.config)]


class Fitting(TrainStage):
    """Least squares."""

    name = "fitting"
    monitor = "validation/mse"

    def __init__(self, config: FaultyConfig) -> None:
        self.config = config
        self.minimise_monitor = not config.maximise

    def build(self, inputs: Inputs) -> None:
        self.inputs, self.data = inputs, inputs.data
        self.line = Line().to(inputs.device)
        self.optimizer = torch.optim.SGD(self.line.parameters(), lr=self.config.lr)
        self.tracked: dict[str, Any] = {"line": self.line, "optimizer": self.optimizer}
        self.order = Shuffle(len(self.data.train), inputs.batch_size, inputs.seed)

    def sample(self, step: int) -> Tensor:
        return self.order(step)

    def batch(self, index: Tensor) -> Tensor:
        points: Tensor = self.data.train.batch(index)
        return points

    def step(self, batch: Tensor, update: Update, step: int) -> Metrics:
        fault = self.config.fault if step + 1 == self.config.at else "none"
        if fault != "none" and (self.config.fuse is None or Path(self.config.fuse).exists()):
            happen(fault)
        return update.minimise(self.optimizer, lambda points: self.loss(points, fault), batch)

    def loss(self, points: Tensor, fault: str = "none") -> tuple[Tensor, Metrics]:
        """Mean squared error, spoilt by `fault`."""
        mse = (self.line(points[:, :1]) - points[:, 1:]).square().mean()
        if fault == "loss":
            mse = mse * torch.nan
        if fault == "gradient":
            mse = mse + (0 * self.line.linear.bias).sqrt().sum()  # 0 forwards, not a number backwards
        return mse, {}

    @torch.no_grad()
    def evaluate(self, split: str, tick: Callable[[], None]) -> Metrics:
        part, total = getattr(self.data, split), 0.0
        for points in self.inputs.batches(part, self.inputs.batch_size):
            tick()
            time.sleep(self.config.pause)
            total += self.loss(points)[0].item() * len(points)
        if self.config.fault == "monitor":
            total = torch.nan
        if self.config.fault == "buffer":
            self.line.seen += 1
        if self.config.fault == "parameter":
            self.line.linear.bias += 1
        return {f"{split}/mse": total / len(part)}
