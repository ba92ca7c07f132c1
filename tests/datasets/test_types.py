"""What a data set says of itself is compared with what it gives."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from datasets.types import DataError, DatasetEntry, ImageBatch, Images, ImageSplit


class Given(ImageSplit):
    """Images and labels as they are."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, indices: Tensor) -> ImageBatch:
        return ImageBatch(self.images[indices], self.labels[indices])


def make(images: Any = None, labels: Any = None, **more: Any) -> Images:
    good = Given(torch.full((20, 1, 2, 3), 16, dtype=torch.uint8), torch.arange(20) % 2)
    bad = Given(good.images if images is None else images, good.labels if labels is None else labels)
    told = {"shape": (1, 2, 3), "levels": 17, "classes": ("a", "b")} | more
    return Images("own", "checksum", train=good, validation=bad, test=good, **told)


def test_what_fits_is_taken() -> None:
    assert len(make().train) == 20


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"images": torch.zeros(20, 1, 2, 3)}, r"type torch.float32, not torch.uint8"),
        ({"images": torch.zeros(20, 1, 3, 2, dtype=torch.uint8)}, r"shape \(1, 3, 2\), not \(1, 2, 3\)"),
        ({"labels": torch.zeros(20)}, r"labels of type torch.float32, not torch.int64"),
        ({"labels": torch.arange(20) % 4}, r"label 3, but 2 classes"),
        ({"images": torch.full((20, 1, 2, 3), 17, dtype=torch.uint8)}, r"value 17, but 17 grey levels"),
    ],
)
def test_what_does_not_fit_is_named(wrong: dict[str, Tensor], said: str) -> None:
    with pytest.raises(DataError, match=f"the validation part of own has images of {said}"):
        make(**wrong)


def test_kinds_are_a_tuple() -> None:
    with pytest.raises(TypeError, match=r'as in \("images",\)'):
        DatasetEntry("own", "summary", dict, ".data:load", "images")  # type: ignore[arg-type]
