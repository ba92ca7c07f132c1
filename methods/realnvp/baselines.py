"""What a flow must beat: bits per dimension of models that see no structure."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def uniform_bits_per_dim(levels: int) -> float:
    """Bits per dimension of pixels that are uniform over `levels` grey levels."""
    return math.log2(levels)


class PixelHistogram:
    """Independent pixels: every pixel and channel has its own histogram of grey levels, smoothed by adding
    one.

    Args:
        shape: `(C, H, W)` of the images.
        levels: number of grey levels.
    """

    def __init__(self, shape: tuple[int, int, int], levels: int) -> None:
        self.levels = levels
        self.counts = torch.zeros(math.prod(shape), levels, dtype=torch.int64)

    def add(self, images: Tensor) -> None:
        """Count integer images `[B, C, H, W]`."""
        index = self._cells(images)
        self.counts.view(-1).scatter_add_(0, index.flatten(), torch.ones_like(index.flatten()))

    def bits_per_dim(self, images: Tensor) -> Tensor:
        """Bits per dimension `[B]` (float64) of integer images `[B, C, H, W]`."""
        smoothed = self.counts + 1
        log_probabilities = torch.log2(smoothed / smoothed.sum(dim=1, keepdim=True, dtype=torch.float64))
        return -log_probabilities.flatten()[self._cells(images)].mean(dim=1)

    def _cells(self, images: Tensor) -> Tensor:
        """Index `[B, C*H*W]` of every pixel's bin in the flattened counts."""
        pixels = images.flatten(1).long().cpu()
        return pixels + self.levels * torch.arange(pixels.shape[1])
