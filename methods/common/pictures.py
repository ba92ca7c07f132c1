"""Batches of images as one picture."""

from __future__ import annotations

import torch
from torch import Tensor


def grid(images: Tensor, columns: int, levels: int = 256, side: int = 0, gap: int = 1) -> Tensor:
    """Images side by side, row by row.

    Arguments:
        images: integers `[B, C, H, W]` in `[0, levels)`, C = 1 or 3.
        columns: images in a row.
        levels: number of grey levels; they are spread over 0..255.
        side: images smaller than this are enlarged by whole factors; 0 leaves them.
        gap: white pixels between images.

    Returns uint8 `[rows * (H + gap) + gap, columns * (W + gap) + gap, 3]`.
    """
    pixels = (images.float() * (255 / (levels - 1))).round().to(torch.uint8).cpu()
    factor = max(1, -(-side // images.shape[-1])) if side else 1
    pixels = pixels.repeat_interleave(factor, 2).repeat_interleave(factor, 3).expand(-1, 3, -1, -1)
    count, _, height, width = pixels.shape
    rows = -(-count // columns)
    canvas = torch.full(
        (3, rows * (height + gap) + gap, columns * (width + gap) + gap), 255, dtype=torch.uint8
    )
    for i, image in enumerate(pixels):
        top, left = gap + (i // columns) * (height + gap), gap + (i % columns) * (width + gap)
        canvas[:, top : top + height, left : left + width] = image
    return canvas.permute(1, 2, 0).contiguous()
