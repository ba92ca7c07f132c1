"""Implicit MAML on sine waves: all tasks of a batch at once, the outer gradient set by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import vmap
from torch.nn.functional import mse_loss

from datasets.types import Shuffle
from runner.api import Inputs, Method, Metrics, Stage, TrainStage, Update

from .config import MetaConfig
from .implicit import adapt, implicit_gradient


class TaskBatch(NamedTuple):
    """Tasks `[T, K, 1]` and the dropout masks `[T, width]` of their inner problems.

    The masks are data: under `vmap` the default generator's numbers would depend on how tasks are chunked.
    """

    support_x: Tensor
    support_y: Tensor
    query_x: Tensor
    query_y: Tensor
    mask: Tensor


class Network(nn.Module):
    """One hidden layer, as a function of a flat vector of its weights."""

    def __init__(self, width: int) -> None:
        super().__init__()
        parts = [torch.randn(width), torch.zeros(width), torch.randn(width) / width]
        self.weights = nn.Parameter(torch.cat(parts))
        self.bias = nn.Parameter(torch.zeros(1))

    def flat(self) -> Tensor:
        """All weights `[3 * width + 1]`."""
        return torch.cat([self.weights, self.bias]).detach()

    @staticmethod
    def predict(flat: Tensor, x: Tensor, mask: Tensor) -> Tensor:
        """Predictions `[K, 1]` for `x` `[K, 1]`."""
        a, b, c = flat[:-1].chunk(3)
        return ((x * a + b).tanh() * mask) @ c[:, None] + flat[-1]


class MetaMethod(Method):
    """One stage that learns where to start from."""

    def stages(self) -> list[Stage]:
        return [Outer(self.config)]


class Outer(TrainStage):
    """Learns weights from which a few points of a task suffice."""

    name = "outer"
    monitor = "validation/mse"

    def __init__(self, config: MetaConfig) -> None:
        self.config = config

    def build(self, inputs: Inputs) -> None:
        self.inputs, self.data = inputs, inputs.data
        self.network = Network(self.config.width).to(inputs.device)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=self.config.lr)
        self.tracked: dict[str, Any] = {"network": self.network, "optimizer": self.optimizer}
        self.order = Shuffle(len(self.data.train), inputs.batch_size, inputs.seed)

    def sample(self, step: int) -> Tensor:
        return self.order(step)

    def batch(self, index: Tensor) -> TaskBatch:
        keep = 1 - self.config.dropout
        mask = (torch.rand(len(index), self.config.width) < keep).float() / keep
        return TaskBatch(*self.data.train.batch(index), mask)

    def step(self, batch: TaskBatch, update: Update, step: int) -> Metrics:
        gradients, mse = vmap(self.task_gradient, (None, 0))(self.network.flat(), batch)
        mean = gradients.mean(0)
        found = update.apply(self.optimizer, (mean[:-1], mean[-1:]))
        return found | {"query_mse": mse.mean()}

    def task_gradient(self, start: Tensor, task: TaskBatch) -> tuple[Tensor, Tensor]:
        """Implicit gradient of one task's query loss, and that loss."""
        c = self.config

        def support(flat: Tensor) -> Tensor:
            return mse_loss(Network.predict(flat, task.support_x, task.mask), task.support_y)

        def query(flat: Tensor) -> Tensor:
            return mse_loss(Network.predict(flat, task.query_x, torch.ones_like(task.mask)), task.query_y)

        w = adapt(support, start, c.strength, c.inner_steps, c.inner_lr)
        return implicit_gradient(support, query, w, c.strength, c.cg_steps), query(w)

    def evaluate(self, split: str, tick: Callable[[], None]) -> Metrics:
        part, total, start = getattr(self.data, split), 0.0, self.network.flat()
        for tasks in self.inputs.batches(part, self.inputs.batch_size):
            tick()
            mask = torch.ones(len(tasks.query_x), self.config.width, device=self.inputs.device)
            whole = TaskBatch(*tasks, mask)
            total += vmap(self.task_gradient, (None, 0))(start, whole)[1].double().sum().item()
        return {f"{split}/mse": total / len(part)}
