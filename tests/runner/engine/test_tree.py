"""Batches as trees of tensors."""

from __future__ import annotations

import pytest
import torch

from datasets.types import ImageBatch
from runner.engine import tree


def batch(size: int = 10) -> dict[str, object]:
    images = torch.arange(size * 4).reshape(size, 1, 2, 2)
    return {"pair": ImageBatch(images, torch.arange(size)), "list": [torch.ones(size), "name"], "n": 3}


@pytest.mark.parametrize("parts", [1, 2, 3, 4, 10, 25])
def test_micro_batches_are_the_batch_in_order(parts: int) -> None:
    whole = batch()
    pieces = tree.split(whole, parts)
    assert len(pieces) == min(parts, 10)
    assert max(map(tree.length, pieces)) - min(map(tree.length, pieces)) <= 1
    joined = torch.cat([piece["pair"].images for piece in pieces])
    assert torch.equal(joined, whole["pair"].images)  # type: ignore[attr-defined]
    assert all(isinstance(piece["pair"], ImageBatch) and piece["n"] == 3 for piece in pieces)


def test_names_of_tensors() -> None:
    assert [name for name, _ in tree.tensors(batch())] == ["pair.images", "pair.labels", "list.0"]
    assert [name for name, _ in tree.tensors(torch.ones(1))] == ["tensor"]


def test_a_common_first_dimension_is_needed() -> None:
    with pytest.raises(ValueError, match="first dimension"):
        tree.length([torch.ones(2), torch.ones(3)])
    with pytest.raises(ValueError, match="first dimension"):
        tree.length([torch.tensor(1.0)])


def test_mapping_keeps_the_shape_of_the_tree() -> None:
    doubled = tree.map_tensors(lambda t: 2 * t, batch())
    assert torch.equal(doubled["pair"].labels, 2 * torch.arange(10))
    assert doubled["list"][1] == "name"
