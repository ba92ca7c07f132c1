"""Batches as trees of tensors: tuples, named tuples, lists and dictionaries, split and moved as one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from operator import itemgetter
from typing import Any

import torch
from torch import Tensor


def map_tensors(function: Callable[[Tensor], Any], tree: Any) -> Any:
    """`tree` with every tensor replaced by `function(tensor)`; anything else stays."""
    if isinstance(tree, Tensor):
        return function(tree)
    if isinstance(tree, dict):
        return {key: map_tensors(function, value) for key, value in tree.items()}
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(map_tensors(function, value) for value in tree))
    if isinstance(tree, (tuple, list)):
        return type(tree)(map_tensors(function, value) for value in tree)
    return tree


def tensors(tree: Any, path: str = "") -> Iterator[tuple[str, Tensor]]:
    """Every tensor of `tree` with its dotted name."""
    if isinstance(tree, Tensor):
        yield path or "tensor", tree
    elif isinstance(tree, dict):
        for key, value in tree.items():
            yield from tensors(value, f"{path}.{key}" if path else str(key))
    elif isinstance(tree, (tuple, list)):
        names = getattr(tree, "_fields", range(len(tree)))
        for name, value in zip(names, tree, strict=True):
            yield from tensors(value, f"{path}.{name}" if path else str(name))


def length(tree: Any) -> int:
    """The common first dimension of the tensors of `tree`; raises ValueError if they have none in common."""
    sizes = {tensor.shape[0] if tensor.ndim else None for _, tensor in tensors(tree)}
    if len(sizes) != 1 or None in sizes:
        raise ValueError(
            f"the tensors of a batch need one first dimension in common, not {sorted(map(str, sizes))}"
        )
    return int(sizes.pop() or 0)


def split(tree: Any, parts: int) -> list[Any]:
    """`tree` cut into at most `parts` micro-batches of nearly equal size along the first dimension."""
    if parts == 1:
        return [tree]
    size = length(tree)
    bounds = [size * i // parts for i in range(parts + 1)]
    pieces = [slice(a, b) for a, b in pairwise(bounds) if b > a]
    return [map_tensors(itemgetter(piece), tree) for piece in pieces]


def to(tree: Any, device: torch.device) -> Any:
    """`tree` on `device`."""
    if device.type == "cpu":
        return tree
    return map_tensors(lambda tensor: tensor.to(device, non_blocking=True), tree)
