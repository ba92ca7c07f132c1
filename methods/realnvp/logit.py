"""From integer pixels to the real line and back: dequantisation and logit (section 4.1)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

MARGIN = 0.05
"""The paper's alpha: how far the logit's argument stays from 0."""

# offset and slope of p = offset + slope * w, where w in [0, 1) is the dequantised pixel
_AFFINE = {
    "symmetric": (MARGIN, 1 - 2 * MARGIN),
    "paper": (MARGIN, 1 - MARGIN),
    "none": (-1.0, 2.0),
}


class Logit:
    """`y = logit(offset + slope * (v + u) / levels)` for integer pixels v and uniform noise u.

    Args:
        levels: number of grey levels; pixels are integers in `[0, levels)`.
        variant: `symmetric` squeezes pixels into [.05, .95], as the authors' code does; `paper` into [.05,
            1], as
            equation and text of section 4.1 have it, where white pixels are unbounded; `none` maps them to
            [-1, 1) without a logit.
    """

    def __init__(self, levels: int, variant: str = "symmetric") -> None:
        self.levels = levels
        self.variant = variant
        self.offset, self.slope = _AFFINE[variant]

    def __call__(self, images: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Real images `[B, C, H, W]` and the log-density `[B]` (nats) that the map contributes.

        Args:
            images: integers `[B, C, H, W]`.
            noise: `[B, C, H, W]`, uniform in [0, 1); its dtype is the result's.
        """
        p = self.offset + self.slope * ((images.to(noise.dtype) + noise) / self.levels)
        constant = p[0].numel() * (math.log(self.slope) - math.log(self.levels))
        if self.variant == "none":
            return p, p.new_full((p.shape[0],), constant)
        eps = torch.finfo(p.dtype).eps
        y = torch.logit(p, eps=eps)
        # -log p - log(1 - p), without the logarithm of a difference
        return y, (F.softplus(y) + F.softplus(-y)).flatten(1).sum(dim=1) + constant

    def inverse(self, y: Tensor) -> Tensor:
        """The uint8 images in `[0, levels)` whose cells hold `y`; values outside are clipped."""
        v = (self.fraction(y) * self.levels).floor()
        return v.clamp(0, self.levels - 1).to(torch.uint8)

    def clipped(self, y: Tensor) -> Tensor:
        """Share of the entries `[B]` of each image that `inverse` has to clip."""
        w = self.fraction(y)
        return ((w < 0) | (w >= 1)).flatten(1).double().mean(dim=1)

    def fraction(self, y: Tensor) -> Tensor:
        """The dequantised pixels of `y`, in [0, 1) where they are within the grey levels."""
        p = y if self.variant == "none" else torch.sigmoid(y)
        return (p - self.offset) / self.slope
