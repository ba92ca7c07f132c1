"""Checkerboard masks (section 3.4, figure 3)."""

from __future__ import annotations

import torch
from torch import Tensor


def checkerboard(height: int, width: int, invert: bool = False) -> Tensor:
    """A mask `[1, 1, H, W]` that is 1 where row + column is odd, or even if `invert`, and 0 elsewhere."""
    parity = (torch.arange(height)[:, None] + torch.arange(width)) % 2
    return (1 - parity if invert else parity).float()[None, None]
