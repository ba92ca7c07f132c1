"""Random flips and crops of whole batches; every draw comes from torch's default generator."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import pad


def augment(images: Tensor, flip: bool, crop: int) -> Tensor:
    """Random crops after zero padding by `crop`, then flips, of uint8 `[B, C, H, W]`, perhaps in place."""
    if crop:
        images = random_crops(images, crop)
    return random_flips(images) if flip else images


def random_flips(images: Tensor) -> Tensor:
    """Flips each image left to right with probability 1/2, in place where it is contiguous."""
    chosen = (torch.rand(len(images)) < 0.5).nonzero().squeeze(1)
    rows = words(images)
    picked = rows.index_select(0, chosen).view(torch.uint8).view(len(chosen), *images.shape[1:])
    rows.index_copy_(
        0, chosen, picked.flip(-1).view(len(chosen), math.prod(images.shape[1:])).view(rows.dtype)
    )
    return rows.view(torch.uint8).view(images.shape)


def words(images: Tensor) -> Tensor:
    """Each image as one row of the widest integers that fit: copying rows is then several times faster."""
    rows = images.reshape(len(images), math.prod(images.shape[1:]))
    for width, dtype in ((8, torch.int64), (4, torch.int32), (2, torch.int16)):
        if rows.shape[1] % width == 0 and rows.storage_offset() % width == 0:
            return rows.view(dtype)
    return rows


def random_crops(images: Tensor, padding: int) -> Tensor:
    """Cuts a window of the original size out of each zero-padded image."""
    height, width = images.shape[-2:]
    top, left = torch.randint(2 * padding + 1, (2, len(images)))
    windows = pad(images, (padding,) * 4).unfold(2, height, 1).unfold(3, width, 1)
    return windows[torch.arange(len(images)), :, top, left]
