"""Squeezing: 2x2 blocks of pixels become channels (section 3.6); a permutation, so its log-determinant is
0."""

from __future__ import annotations

import torch
from torch import Tensor


def squeeze(x: Tensor) -> Tensor:
    """`[B, C, H, W]` to `[B, 4C, H/2, W/2]`: pixel (dy, dx) of channel c becomes channel 4c + 2dy + dx."""
    b, c, h, w = x.shape
    return x.reshape(b, c, h // 2, 2, w // 2, 2).permute(0, 1, 3, 5, 2, 4).reshape(b, 4 * c, h // 2, w // 2)


def unsqueeze(x: Tensor) -> Tensor:
    """The inverse of `squeeze`: `[B, 4C, H, W]` to `[B, C, 2H, 2W]`."""
    b, c, h, w = x.shape
    return x.reshape(b, c // 4, 2, 2, h, w).permute(0, 1, 4, 2, 5, 3).reshape(b, c // 4, 2 * h, 2 * w)


def squeeze_ordered(x: Tensor) -> Tensor:
    """`[B, C, H, W]` to `[B, 4C, H/2, W/2]`, the pixels of a block in the order (0,0), (1,1), (0,1), (1,0).

    All channels of a pixel stay together, so the first half of the result holds the main diagonals of the
    blocks, which go on to the next scale, and the second half the anti-diagonals, which are factored out.
    """
    b, c, h, w = x.shape
    blocks = x.reshape(b, c, h // 2, 2, w // 2, 2)
    pixels = [blocks[:, :, :, dy, :, dx] for dy, dx in ((0, 0), (1, 1), (0, 1), (1, 0))]
    return torch.cat(pixels, dim=1)


def unsqueeze_ordered(x: Tensor) -> Tensor:
    """The inverse of `squeeze_ordered`: `[B, 4C, H, W]` to `[B, C, 2H, 2W]`."""
    top_left, bottom_right, top_right, bottom_left = x.chunk(4, dim=1)
    top = torch.stack((top_left, top_right), dim=-1)
    bottom = torch.stack((bottom_left, bottom_right), dim=-1)
    b, c, h, w = top_left.shape
    return torch.stack((top, bottom), dim=3).reshape(b, c, 2 * h, 2 * w)
