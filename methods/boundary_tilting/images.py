"""Images of two classes as points."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, interpolate

from datasets.types import DataError, Images, ImageSplit
from methods.boundary_tilting.linear.pair import Pair
from runner.api import Note

AT_ONCE = 1000


def two_classes(data: Images) -> None:
    """Raises ValueError unless the data have two classes."""
    if len(data.classes) != 2:
        some = ",".join(data.classes[:2]) if len(data.classes) > 2 else "A,B"
        raise ValueError(
            f"method=boundary_tilting parts two classes, and {data.name} has {len(data.classes)}; "
            f"dataset.classes=[{some}] picks two"
        )


def read(split: ImageSplit, per_class: int | None, levels: int) -> tuple[Tensor, Tensor]:
    """Images float64 `[n, C, H, W]` in [0, 1] and labels -1 and 1 `[n]`: of either class as many, the first
    ones; at most `per_class` of each.

    Raises:
        DataError: where a class has no image.
    """
    labels = torch.cat([split.batch(part).labels.cpu() for part in torch.arange(len(split)).split(AT_ONCE)])
    counts = torch.bincount(labels, minlength=2)
    if not counts.min():
        raise DataError("one of the two classes has no image")
    each = min(int(counts.min()), per_class or int(counts.max()))
    if per_class is None and counts[0] != counts[1]:
        a, b = counts.tolist()
        said = f"{a} and {b} training images of the two classes: the first {each} of each are used"
        warnings.warn(said, Note, stacklevel=2)
    chosen = torch.cat([(labels == k).nonzero()[:each, 0] for k in (0, 1)])
    images = torch.cat([split.batch(part).images.cpu() for part in chosen.split(AT_ONCE)])
    y = torch.ones(2 * each, dtype=torch.float64)
    y[:each] = -1
    return images.double() / (levels - 1), y


def resized(images: Tensor, side: int | None) -> Tensor:
    """Square images `[n, C, H, W]` of another side: means of what falls into a pixel where it is smaller,
    bilinear where it is larger."""
    if side is None or images.shape[2:] == (side, side):
        return images
    if side < min(images.shape[2:]):
        return adaptive_avg_pool2d(images, side)
    return interpolate(images, size=(side, side), mode="bilinear", align_corners=False)


def flipped(y: Tensor, share: float) -> Tensor:
    """Labels of which a share, the same one of each class, is exchanged; drawn from torch's generator."""
    found = y.clone()
    for label in (-1, 1):
        own = (y == label).nonzero()[:, 0]
        some = own[torch.randperm(len(own))[: round(share * len(own))]]
        found[some] = -label
    return found


def points(images: Tensor, y: Tensor) -> Pair:
    """Images `[n, C, H, W]` as points."""
    return Pair(images.flatten(1).contiguous(), y)
