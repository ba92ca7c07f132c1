"""From grey levels to what a network reads."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from datasets.types import ImageSplit

IMAGES = 10_000
"""Training images whose pixels give mean and deviation, evenly spaced."""


class Standardise(nn.Module):
    """Pixels less their channel's mean, over its deviation, both over the training part.

    Arguments:
        channels: channels of an image.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.zeros(1, channels, 1, 1))
        self.register_buffer("std", torch.ones(1, channels, 1, 1))

    @torch.no_grad()
    def fit(self, split: ImageSplit) -> None:
        """Takes both from a split, in double precision; a channel that is constant is only centred."""
        every = -(-len(split) // IMAGES)
        pixels = split.plain.batch(torch.arange(0, len(split), every)).images.double()
        mean, var = pixels.mean((0, 2, 3)), pixels.var((0, 2, 3), correction=0)
        self.mean.copy_(mean.view_as(self.mean))
        self.std.copy_(torch.where(var > 0, var.sqrt(), 1).view_as(self.std))

    def forward(self, images: Tensor) -> Tensor:
        """Integers `[B, C, H, W]` to floats."""
        return (images - self.mean) / self.std


class Binary(nn.Module):
    """0 for pixels in the lower half of the grey levels, 1 for the others (the paper, section 4.1)."""

    def __init__(self, levels: int) -> None:
        super().__init__()
        self.levels = levels

    def forward(self, images: Tensor) -> Tensor:
        """Integers `[B, C, H, W]` to 0.0 and 1.0."""
        return (images.long() * 2 >= self.levels).to(torch.get_default_dtype())
