"""What of a figure's look can be measured from its pixels."""

from __future__ import annotations

import torch
from torch import Tensor


def looks(images: Tensor) -> dict[str, Tensor]:
    """Slant, width and light of each image, `[N]` each, of images `[N, C, H, W]` in [0, 1].

    Slant is the slope of the ink's columns over its rows (the skew that deslanting takes away); width the
    deviation of the ink's columns, in pixels, with the slant taken out; light the mean. Ink is what differs
    from the darkest level.
    """
    ink = images.double().mean(1)
    light = ink.mean((1, 2))
    total = ink.sum((1, 2)).clamp(min=1e-9)
    y = torch.arange(ink.shape[1], device=ink.device, dtype=ink.dtype)[:, None]
    x = torch.arange(ink.shape[2], device=ink.device, dtype=ink.dtype)[None, :]

    def mean(of: Tensor) -> Tensor:
        return (ink * of).sum((1, 2)) / total

    mean_x, mean_y = mean(x.expand_as(ink)), mean(y.expand_as(ink))
    dx, dy = x - mean_x[:, None, None], y - mean_y[:, None, None]
    xx, xy, yy = mean(dx * dx), mean(dx * dy), mean(dy * dy)
    slant = xy / yy.clamp(min=1e-9)
    width = (xx - slant * xy).clamp(min=0).sqrt()
    return {"slant": -slant, "width": width, "light": light}
