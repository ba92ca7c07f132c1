"""Sine waves of random amplitude and phase, each with points to learn from and points to be measured on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from datasets.types import Access

from .config import SinesConfig

SIZES = {"train": 128, "validation": 32, "test": 32}
QUERIES = 10


class Tasks(NamedTuple):
    """Support and query points of tasks: inputs and targets, each `[T, K, 1]`."""

    support_x: Tensor
    support_y: Tensor
    query_x: Tensor
    query_y: Tensor


@dataclass(frozen=True)
class Part:
    """Tasks that are read by index."""

    tasks: Tasks

    def __len__(self) -> int:
        return len(self.tasks.support_x)

    def batch(self, indices: Tensor) -> Tasks:
        """The tasks at `indices`."""
        return Tasks(*(tensor[indices] for tensor in self.tasks))


@dataclass(frozen=True)
class Sines:
    """The three parts, and what identifies them."""

    checksum: str
    train: Part
    validation: Part
    test: Part


def load(config: SinesConfig, access: Access, kind: str) -> Sines:
    """Sine waves with amplitudes in [0.5, 2] and any phase, on [-3, 3]."""
    generator = torch.Generator().manual_seed(11)
    parts = {name: waves(size, config.shots, generator) for name, size in SIZES.items()}
    parts = {name: Tasks(*(tensor[: config.limit] for tensor in tasks)) for name, tasks in parts.items()}
    content = b"".join(tensor.numpy().tobytes() for tasks in parts.values() for tensor in tasks)
    return Sines(hashlib.sha256(content).hexdigest(), **{name: Part(tasks) for name, tasks in parts.items()})


def waves(count: int, shots: int, generator: torch.Generator) -> Tasks:
    """`count` tasks of `shots` support points."""
    amplitude = 0.5 + 1.5 * torch.rand(count, 1, 1, generator=generator)
    phase = 2 * torch.pi * torch.rand(count, 1, 1, generator=generator)
    x = 6 * torch.rand(count, shots + QUERIES, 1, generator=generator) - 3
    y = amplitude * torch.sin(x + phase)
    return Tasks(x[:, :shots], y[:, :shots], x[:, shots:], y[:, shots:])
