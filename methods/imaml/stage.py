"""The stage that learns where to start from, and says how well tasks are adapted to from there."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from datasets.types import Episode, Episodes, EpisodeSampler, RegressionSampler
from methods.common.fewshot.score import interval, right
from methods.imaml.config import MetaConfig
from methods.imaml.inner import Inner
from methods.imaml.meta import Meta
from methods.imaml.network import Flat, conv4, mlp
from methods.imaml.pictures import pictures
from methods.imaml.tasks import Tasks
from runner.api import Inputs, Metrics, Picture, Projection, TrainStage, Update

PARTS = {"train": 0, "validation": 1, "test": 2}


class MetaStage(TrainStage):
    """Minimises the mean query loss of adapted parameters by Adam; how its gradient is had is the methods'
    own."""

    name = "fewshot"  # of every method of few-shot learning, so that all see the same episodes
    monitor = "validation/loss"
    method: str  # what pictures call it

    def __init__(self, config: Any) -> None:
        self.config = config

    @abstractmethod
    def meta(self, tasks: Tasks, theta: Tensor, many: int) -> Meta:
        """The gradient by the meta-parameters `theta` `[D]` over `many` tasks."""

    @abstractmethod
    def adapt(self, tasks: Tasks, theta: Tensor, steps: int) -> Tensor:
        """Adapted parameters `[M, D]` from `theta` `[M, D]` after so many steps, as in testing."""

    def items(self, data: Any) -> int:
        return int(self.config.epoch)

    def build(self, inputs: Inputs) -> None:
        self.inputs, self.data = inputs, inputs.data
        c: MetaConfig = self.config
        self.classes = c.way if isinstance(self.data, Episodes) else None
        self.sampler = self.sampler_of("train", c.epoch)
        self.sampler_of("validation", c.validation_episodes)
        self.sampler_of("test", c.episodes)
        self.net = self._network().to(inputs.device)
        self.flat = Flat(self.net, "vmap" if c.tasks_as_one else "loop")
        self.optimizer = torch.optim.Adam(self.groups(), c.lr, eps=c.adam_eps)
        self.tracked = {"net": self.net, "optimizer": self.optimizer}

    def groups(self) -> list[dict[str, Any]]:
        """What the optimiser changes."""
        return [{"params": list(self.net.parameters())}]

    def _network(self) -> nn.Sequential:
        """Raises ValueError for a network that does not fit the data."""
        c: MetaConfig = self.config
        if isinstance(self.data, Episodes):
            shape = self.data.shape
            if c.network == "conv4":
                return conv4(shape, c.filters, c.blocks, c.way)
            return mlp(math.prod(shape), c.hidden, c.way, c.activation)
        if c.network == "conv4":
            raise ValueError(f"method.network=conv4 takes images, which {self.data.name} has none of")
        return mlp(self.data.train.inputs, c.hidden, self.data.train.outputs, c.activation)

    def sampler_of(self, part: str, count: int) -> EpisodeSampler | RegressionSampler:
        c, split = self.config, getattr(self.data, part)
        seed = 3 * self.inputs.seed + PARTS[part]
        if not isinstance(self.data, Episodes):
            return RegressionSampler(split, c.shot, c.query, seed, count)
        try:
            return EpisodeSampler(split, c.way, c.shot, c.query, seed, count)
        except ValueError as error:
            raise ValueError(f"{part} part of {self.data.name}: {error}") from None

    def sample(self, step: int) -> Tensor:
        count = self.inputs.batch_size
        return torch.arange(step * count, (step + 1) * count)

    def batch(self, index: Tensor) -> Episode:
        return self.sampler.batch(index)

    def step(self, batch: Episode, update: Update, step: int) -> Metrics:
        found, many = [], len(batch.support)
        logged: Metrics = {}
        for part in self.chunks(batch):
            weight = len(part.support) / many
            meta, measured = self._meta(part)
            found.append((weight, meta))
            for name, value in {**meta.log, **measured}.items():
                logged[name] = logged.get(name, 0.0) + weight * value
        theta = torch.stack([weight * meta.gradient for weight, meta in found]).sum(0)
        gradients = [*self.flat.pieces(theta), *self.others(found)]
        return logged | update.apply(self.optimizer, gradients)

    def others(self, found: list[tuple[float, Meta]]) -> list[Tensor]:
        """Gradients by what else is learned, from the weights of chunks and what was found on them."""
        return []

    def chunks(self, batch: Episode) -> Iterator[Episode]:
        size = self.config.chunk or len(batch.support)
        for pieces in zip(*(one.split(size) for one in batch), strict=True):
            yield Episode(*pieces)

    def _meta(self, batch: Episode) -> tuple[Meta, Metrics]:
        meta = self.meta(self.tasks(batch), self.flat.vector(), len(batch.support))
        return meta, {name: value.mean() for name, value in self.measured(batch, meta.phi).items()}

    def tasks(self, batch: Episode) -> Tasks:
        """The losses of a batch's tasks."""
        return Tasks(
            lambda phi: self.losses(self.flat(phi, self._input(batch.support)), batch.support_labels),
            lambda phi: self.losses(self.flat(phi, self._input(batch.query)), batch.query_labels),
        )

    def _input(self, x: Tensor) -> Tensor:
        levels = self.data.levels if isinstance(self.data, Episodes) else None
        return x if levels is None else x.float() / (levels - 1)

    def losses(self, outputs: Tensor, wanted: Tensor) -> Tensor:
        """Mean cross-entropy, or mean squared error, of each task, `[M]`."""
        if self.classes is None:
            return (outputs - wanted).square().mean((1, 2))
        flat = functional.cross_entropy(outputs.flatten(0, 1), wanted.flatten(), reduction="none")
        return flat.view_as(wanted).mean(1)

    @torch.no_grad()
    def measured(self, batch: Episode, phi: Tensor) -> dict[str, Tensor]:
        """Loss, and accuracy of classes, of each task's query images, `[M]`."""
        outputs = self.flat(phi, self._input(batch.query))
        found = {} if self.classes is None else {"accuracy": right(outputs, batch.query_labels)}
        return found | {"loss": self.losses(outputs, batch.query_labels)}

    def evaluate(self, split: str, tick: Callable[[], None]) -> Metrics:
        c: MetaConfig = self.config
        count = c.validation_episodes if split == "validation" else c.episodes
        sampler, size = self.sampler_of(split, count), self.inputs.batch_size
        rows: dict[str, list[Tensor]] = {}
        for start in range(0, count, size):
            tick()
            numbers = torch.arange(start, min(start + size, count))
            batch = Episode(*(one.to(self.inputs.device) for one in sampler.batch(numbers)))
            for part in self.chunks(batch):
                theta = self.flat.vector().detach().expand(len(part.support), -1)
                phi = self.adapt(self.tasks(part), theta, self.test_steps)
                for when, parameters in (("", phi), ("before_", theta)):
                    for name, values in self.measured(part, parameters).items():
                        rows.setdefault(when + name, []).append(values.double().cpu())
        return {f"{split}/{name}": value for name, value in self._summed(rows).items()}

    def figures(self) -> dict[str, Picture | Projection]:
        return dict(pictures(self))

    def _summed(self, rows: dict[str, list[Tensor]]) -> dict[str, float]:
        found: dict[str, float] = {}
        each = {name: torch.cat(values) for name, values in rows.items()}
        each["gain"] = each["before_loss"] - each["loss"]
        for name, values in each.items():
            mean, low, high = interval(values)
            found[name] = mean
            if not name.startswith("before_"):
                found |= {f"{name}_low": low, f"{name}_high": high}
        return found

    def inner(self, steps: int, solver: Any = "gd", directions: int = 5) -> Inner:
        """The solver of a task's problem."""
        return Inner(solver, steps, self.config.inner_lr, directions)

    @property
    def test_steps(self) -> int:
        """Steps of adaptation in testing."""
        return self.config.test_steps or int(self.config.inner_steps)
