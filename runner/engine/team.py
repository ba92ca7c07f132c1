"""The processes that train one run together: each has a device and a share of every batch.

A process alone is a team of one, to which everything here does nothing. In a team of several, the lead has
the run's folder, log and checkpoints; the others compute, and say nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import chain, pairwise
from typing import Any

import torch
from torch import Tensor, nn

from runner.engine import tree
from runner.engine.noise import SharedNoise
from runner.errors import ConfigError
from runner.world import RENDEZVOUS, world

PATIENCE = timedelta(days=30)
"""How long a process waits for another, which may be computing an artifact for all."""


@dataclass(frozen=True)
class Begun:
    """What the processes told each other at the beginning of a step.

    Attributes:
        weight: this process's share of the batch, times the number of processes: 1 where all have as much.
        noise: the context in which the step draws.
        stop: number of the signal that asked any of them to stop; 0 for none.
        over: whether the time is over.
    """

    weight: float = 1.0
    noise: AbstractContextManager[Any] = field(default_factory=nullcontext)
    stop: int = 0
    over: bool = False


@dataclass(frozen=True)
class Part:
    """A micro-batch of this process's share.

    Attributes:
        weight: what its mean loss is multiplied with before the backward pass, after which gradients are
            averaged over the processes.
        local: its share of this process's share.
        noise: the context in which its loss draws.
    """

    batch: Any
    weight: float = 1.0
    local: float = 1.0
    noise: AbstractContextManager[Any] = field(default_factory=nullcontext)


class Team:
    """A team of one process.

    Attributes:
        rank, size: which process this is, and how many there are.
    """

    rank, size = 0, 1

    @property
    def lead(self) -> bool:
        """Whether this process has the run's folder."""
        return self.rank == 0

    def divided(self, index: Any, make: Callable[[Any], Any], accumulate: int) -> Any:
        """This process's share of the batch that `make` makes of `index`."""
        return make(index)

    def begin(self, batch: Any, stop: int, over: bool) -> Begun:
        """Tells the others of this process's share of a batch, and of what ends the run after this step."""
        return Begun(stop=stop, over=over)

    def parts(self, batch: Any, count: int) -> list[Part]:
        """This process's share as at most `count` micro-batches."""
        pieces = tree.split(batch, count)
        if len(pieces) == 1:
            return [Part(pieces[0])]
        lengths = [tree.length(piece) for piece in pieces]
        shares = [length / sum(lengths) for length in lengths]
        return [Part(*one) for one in zip(pieces, shares, shares, strict=True)]

    def wrapped(self, optimizer: torch.optim.Optimizer, parameters: list[Tensor]) -> Shared | None:
        """How a loss is computed so that gradients are averaged over the team; None where it is as it is."""
        return None

    def mean(self, value: Tensor, weight: float) -> Tensor:
        """The mean of a number over the whole batch, from this process's mean and weight; detached."""
        return value.detach()

    def average(self, gradients: Iterable[Tensor | None], weight: float) -> list[Tensor | None]:
        """Gradients of the mean over the whole batch, from those of this process's share."""
        return list(gradients)

    def means(self, sums: Mapping[str, float]) -> dict[str, float]:
        """The mean over the processes of each number; all give the same names."""
        return dict(sums)

    def total(self, sums: Mapping[str, float]) -> dict[str, float]:
        """The sum over the processes of each number; one that saw to nothing may lack some names."""
        return dict(sums)

    def told(self, ask: Callable[[], str]) -> str:
        """What the lead answers to `ask`, which only the lead calls."""
        return ask()

    def spread(self, modules: Mapping[str, nn.Module], buffers_only: bool = False) -> None:
        """Gives all processes the lead's parameters and buffers."""

    def wait(self) -> None:
        """Waits until all processes are here."""

    def leave(self) -> None:
        """Ends the team."""


class Workers(Team):
    """A team of several processes, one device each, as `torchrun` or `trainer.devices` starts them."""

    def __init__(self, device: torch.device, address: str | None = None) -> None:
        import torch.distributed as dist

        self._dist, self.device = dist, device
        self.rank, self.size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        self._shared: dict[int, Shared] = {}
        # What they tell each other besides gradients is a few numbers, which need not wait for a GPU.
        backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
        dist.init_process_group(
            backend, address or "env://", PATIENCE, rank=self.rank, world_size=self.size,
            device_id=device if device.type == "cuda" else None,
        )  # fmt: skip

    def divided(self, index: Any, make: Callable[[Any], Any], accumulate: int) -> Any:
        items = _length(index)
        if items is None:  # what an index stands for is the stage's own affair
            batch = make(index)
            return self._own(batch, self._bounds(tree.length(batch), accumulate))
        bounds = self._bounds(items, accumulate)
        with SharedNoise(bounds, items):
            return make(self._own(index, bounds))

    def _bounds(self, items: int, parts: int) -> list[slice]:
        """Where this process's share lies: in each of `parts` micro-batches, an equal part of it."""
        if items < parts * self.size:
            raise ConfigError(
                f"a batch of {items} items cannot be divided among trainer.devices={self.size}"
                + (f" and trainer.accumulate={parts}" if parts > 1 else "")
            )
        edges = [items * i // parts for i in range(parts + 1)]
        found = []
        for low, high in pairwise(edges):
            cut = [low + (high - low) * r // self.size for r in (self.rank, self.rank + 1)]
            found.append(slice(*cut))
        return found

    def _own(self, whole: Any, bounds: Sequence[slice]) -> Any:
        return tree.map_tensors(lambda tensor: torch.cat([tensor[piece] for piece in bounds]), whole)

    def begin(self, batch: Any, stop: int, over: bool) -> Begun:
        said = self._gathered([_length(batch) or 0, stop, int(over)])
        lengths = [one[0] for one in said]
        stops, late = max(one[1] for one in said), bool(said[0][2])
        if 0 in lengths:  # a batch that has no length of its own: all shares count alike
            return Begun(stop=stops, over=late)
        weight = lengths[self.rank] * self.size / sum(lengths)
        return Begun(weight, self._noise(lengths), stops, late)

    def _noise(self, lengths: Sequence[int]) -> SharedNoise:
        start = sum(lengths[: self.rank])
        return SharedNoise([slice(start, start + lengths[self.rank])], sum(lengths))

    def _gathered(self, numbers: list[int]) -> list[list[int]]:
        found = [torch.zeros(len(numbers), dtype=torch.int64) for _ in range(self.size)]
        self._dist.all_gather(found, torch.tensor(numbers))
        return [one.tolist() for one in found]

    def parts(self, batch: Any, count: int) -> list[Part]:
        pieces = tree.split(batch, count)
        rows = self._gathered([_length(piece) or 0 for piece in pieces])
        if 0 in chain(*rows):
            return [Part(piece, 1 / len(pieces), 1 / len(pieces)) for piece in pieces]
        total, own = sum(map(sum, rows)), sum(rows[self.rank])
        found = []
        for i, piece in enumerate(pieces):
            lengths = [row[i] for row in rows]
            noise = self._noise(lengths) if count > 1 else nullcontext()
            weight, local = lengths[self.rank] * self.size / total, lengths[self.rank] / own
            found.append(Part(piece, weight, local, noise))
        return found

    def wrapped(self, optimizer: torch.optim.Optimizer, parameters: list[Tensor]) -> Shared | None:
        if id(optimizer) not in self._shared:
            self._shared[id(optimizer)] = Shared(parameters, self.device)
        return self._shared[id(optimizer)]

    def mean(self, value: Tensor, weight: float) -> Tensor:
        shared = value.detach().clone() * (weight / self.size)
        self._dist.all_reduce(shared)
        return shared

    def average(self, gradients: Iterable[Tensor | None], weight: float) -> list[Tensor | None]:
        given = [None if g is None else g.detach() * (weight / self.size) for g in gradients]
        there = [gradient for gradient in given if gradient is not None]
        if there:
            flat = torch.cat([gradient.reshape(-1) for gradient in there])
            self._dist.all_reduce(flat)
            for gradient, piece in zip(there, flat.split([g.numel() for g in there]), strict=True):
                gradient.copy_(piece.view_as(gradient))
        return given

    def means(self, sums: Mapping[str, float]) -> dict[str, float]:
        values = torch.tensor([float(value) for value in sums.values()], dtype=torch.float64)
        if len(values):
            self._dist.all_reduce(values)
        return dict(zip(sums, (values / self.size).tolist(), strict=True))

    def total(self, sums: Mapping[str, float]) -> dict[str, float]:
        found: dict[str, float] = {}
        for text in self._said(json.dumps({name: float(value) for name, value in sums.items()})):
            for name, value in json.loads(text).items():
                found[name] = found.get(name, 0.0) + value
        return found

    def _said(self, text: str) -> list[str]:
        """What each process says."""
        data = text.encode()
        lengths = [one[0] for one in self._gathered([len(data)])]
        own = torch.zeros(max(lengths), dtype=torch.uint8)
        own[: len(data)] = torch.frombuffer(bytearray(data), dtype=torch.uint8)
        parts = [torch.zeros_like(own) for _ in range(self.size)]
        self._dist.all_gather(parts, own)
        return [bytes(p[:n].tolist()).decode() for p, n in zip(parts, lengths, strict=True)]

    def told(self, ask: Callable[[], str]) -> str:
        text = ask().encode() if self.lead else b""
        length = torch.tensor([len(text)])
        self._dist.broadcast(length, 0)
        data = (
            torch.frombuffer(bytearray(text), dtype=torch.uint8)
            if text
            else torch.zeros(0, dtype=torch.uint8)
        )
        data = data if self.lead else torch.zeros(int(length), dtype=torch.uint8)
        if int(length):
            self._dist.broadcast(data, 0)
        return data.numpy().tobytes().decode()

    def spread(self, modules: Mapping[str, nn.Module], buffers_only: bool = False) -> None:
        for module in modules.values():
            for tensor in module.buffers() if buffers_only else [*module.parameters(), *module.buffers()]:
                value = tensor.detach().contiguous()
                self._dist.broadcast(value, 0)
                tensor.detach().copy_(value)

    def wait(self) -> None:
        self.told(lambda: "")

    def leave(self) -> None:
        self._dist.destroy_process_group()


class Shared:
    """Computes losses so that torch's `DistributedDataParallel` averages the gradients of some parameters."""

    def __init__(self, parameters: list[Tensor], device: torch.device) -> None:
        self.parallel = nn.parallel.DistributedDataParallel(
            _Whole(parameters),
            device_ids=[device] if device.type == "cuda" else None,
            find_unused_parameters=True,  # what a step does not use has no gradient, as in one process
            gradient_as_bucket_view=True,
        )

    def __call__(self, loss: Callable[[Any], tuple[Tensor, dict[str, Any]]], batch: Any) -> Any:
        found: dict[str, Any] = {}

        def value(part: Any) -> Tensor:
            loss_value, metrics = loss(part)
            found.update(metrics)
            return loss_value

        return self.parallel(value, batch), found

    def silent(self) -> AbstractContextManager[Any]:
        """Gradients inside are only added up; the last micro-batch averages them."""
        quiet: AbstractContextManager[Any] = self.parallel.no_sync()
        return quiet


class _Whole(nn.Module):
    """Some parameters as a module, whose forward pass is any function that uses them."""

    def __init__(self, parameters: list[Tensor]) -> None:
        super().__init__()
        self.kept = nn.ParameterList(parameters)

    def forward(self, function: Callable[[Any], Tensor], batch: Any) -> Tensor:
        return function(batch)


def batch_statistics(modules: Mapping[str, nn.Module]) -> list[str]:
    """Names of the parts that keep running statistics of their batches, as batch normalisation does."""
    return [
        f"{name}.{part}".strip(".")
        for name, module in modules.items()
        for part, layer in module.named_modules()
        if getattr(layer, "running_mean", None) is not None
    ]


def _length(batch: Any) -> int | None:
    try:
        return tree.length(batch)
    except ValueError:
        return None


def join(device: torch.device) -> Team:
    """The team that this process belongs to, as its environment says."""
    if world() == 1:
        return Team()
    place = os.environ.get(RENDEZVOUS)
    return Workers(device, None if place is None else f"file://{place}")
