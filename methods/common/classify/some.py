"""Some images of a part, drawn once for all."""

from __future__ import annotations

import torch
from torch import Tensor

from datasets.types import ImageBatch, Images, ImageSplit

LOOKED_AT = 512
"""Validation images on which layers are looked at."""


class Some(ImageSplit):
    """Up to `count` images of a part, drawn without repetition, in a mixed order that is always the same.

    The first images of a part will not do for all: files may lie class by class.

    Arguments:
        split: the part.
        count: how many images; None for all of them.
    """

    def __init__(self, split: ImageSplit, count: int | None = None) -> None:
        order = torch.randperm(len(split), generator=torch.Generator().manual_seed(0))
        self.split, self.places = split, order[:count]

    def __len__(self) -> int:
        return len(self.places)

    def batch(self, indices: Tensor) -> ImageBatch:
        return self.split.batch(self.places[indices])


def looked_at(data: Images, device: torch.device) -> Tensor:
    """The validation images on which layers are looked at, always the same; raises ValueError for one alone,
    which has no batch's moments."""
    some = Some(data.validation.plain, LOOKED_AT)
    if len(some) < 2:
        raise ValueError("the validation part has one image, and layers are looked at on two or more")
    return some.batch(torch.arange(len(some))).images.to(device)
