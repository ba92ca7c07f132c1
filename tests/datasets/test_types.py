"""What a data set says of itself is compared with what it gives."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from datasets.types import DataError, DatasetEntry, Factor, ImageBatch, Images, ImageSplit


class Given(ImageSplit):
    """Images, labels and factors as they are."""

    def __init__(self, images: Tensor, labels: Tensor, factors: Tensor | None = None) -> None:
        self.images, self.labels, self._factors = images, labels, factors

    @property
    def factors(self) -> Tensor | None:
        return self._factors

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


KNOWN = (Factor("light"), Factor("left", ("zero", "one", "two")))


def known(validation: Any, known: tuple[Factor, ...] = KNOWN) -> Images:
    """Three parts of which two have the factors `KNOWN`, and one those that are given."""
    good = torch.stack((torch.linspace(-1, 1, 20), torch.arange(20) % 3), 1)
    images, labels = torch.zeros(20, 1, 2, 3, dtype=torch.uint8), torch.arange(20) % 2
    parts = [Given(images, labels, factors) for factors in (good, validation, good)]
    return Images("own", "checksum", (1, 2, 3), 17, ("a", "b"), *parts, known=known)


def test_factors_have_names_and_values() -> None:
    data = known(torch.tensor([[0.5, 2.0]]).repeat(20, 1))
    assert data.factors == ("light", "left")
    assert data.validation.factors is not None
    assert data.validation.factors[3].tolist() == [0.5, 2.0]


@pytest.mark.parametrize(
    ("factors", "said"),
    [
        (None, r"factors that are not \['light', 'left'\]"),
        (torch.zeros(19, 2), r"factors that are not \['light', 'left'\]"),
        (torch.zeros(20, 3), r"factors that are not \['light', 'left'\]"),
        (torch.full((20, 2), torch.nan), "values of the factor light that are not finite"),
        (torch.full((20, 2), 3.0), "values of the factor left that are not 0 to 2"),
        (torch.full((20, 2), 0.5), "values of the factor left that are not 0 to 2"),
    ],
)
def test_factors_that_do_not_fit_are_named(factors: Any, said: str) -> None:
    with pytest.raises(DataError, match=f"the validation part of own has {said}"):
        known(factors)


def test_factors_that_nobody_named_are_refused() -> None:
    with pytest.raises(DataError, match=r"the train part of own has factors that are not \[\]"):
        known(torch.zeros(20, 2), known=())


def test_kinds_are_a_tuple() -> None:
    with pytest.raises(TypeError, match=r'as in \("images",\)'):
        DatasetEntry("own", "summary", dict, ".data:load", "images")  # type: ignore[arg-type]
