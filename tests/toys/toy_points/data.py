"""Two moons, standardised, in three parts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor

from datasets.types import Access

from .config import PointsConfig

SIZES = {"train": 512, "validation": 128, "test": 128}


@dataclass(frozen=True)
class Rows:
    """Points float32 `[N, 2]`, read by index."""

    points: Tensor

    def __len__(self) -> int:
        return len(self.points)

    def batch(self, indices: Tensor) -> Tensor:
        """The points at `indices`, `[B, 2]`."""
        return self.points[indices]


@dataclass(frozen=True)
class Points:
    """The three parts, and what identifies them."""

    checksum: str
    train: Rows
    validation: Rows
    test: Rows


def load(config: PointsConfig, access: Access, kind: str) -> Points:
    """Points on two interleaved half circles."""
    generator = torch.Generator().manual_seed(7)
    parts = {name: moons(size, config.spread, generator)[: config.limit] for name, size in SIZES.items()}
    digest = hashlib.sha256(b"".join(part.numpy().tobytes() for part in parts.values())).hexdigest()
    return Points(digest, **{name: Rows(part) for name, part in parts.items()})


def moons(count: int, spread: float, generator: torch.Generator) -> Tensor:
    """`count` points `[N, 2]`, half of them on either moon."""
    angle = torch.rand(count, generator=generator) * torch.pi
    upper = torch.arange(count) % 2 == 0
    x = torch.where(upper, angle.cos(), 1 - angle.cos())
    y = torch.where(upper, angle.sin(), 0.5 - angle.sin())
    points = torch.stack([x - 0.5, y - 0.25], 1)
    return points + spread * torch.randn(count, 2, generator=generator)
