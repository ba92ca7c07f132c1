"""Which images belong to which part: permutations that never change, held-out images, classes."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Sequence

import numpy as np

from datasets.types import DataError


def splitmix64(seed: int, count: int) -> np.ndarray:
    """The first `count` numbers uint64 of SplitMix64, no two equal (Steele, Lea and Flood, OOPSLA 2014)."""
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(z ^ (z >> np.uint64(31)))


def keyed(key: str, count: int) -> np.ndarray:
    """The first `count` numbers uint64 of the stream that `key` names."""
    return splitmix64(int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big"), count)


def permutation(items: int, key: str) -> np.ndarray:
    """A permutation int64 `[items]` that depends on `items` and `key` alone, on every machine and version."""
    return np.argsort(keyed(key, items))


def hold_out(items: int, validation: int, key: str, mixed: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the training and validation images, each in the official order, or `mixed`; raises
    `DataError`."""
    if validation >= items:
        raise DataError(f"dataset.validation={validation} leaves nothing of {items} images to train on")
    order = permutation(items, key)
    held, trained = np.split(order, [validation])
    return (trained, held) if mixed else (np.sort(trained), np.sort(held))


def chosen_classes(wanted: Sequence[str | int] | None, names: Sequence[str]) -> list[int]:
    """Numbers of the wanted classes, in the order wanted; raises `DataError` for unknown ones."""
    if wanted is None:
        return list(range(len(names)))
    numbers = [_class_number(one, names) for one in wanted]
    if not numbers:
        raise DataError("dataset.classes names no class")
    if len(set(numbers)) < len(numbers):
        raise DataError(f"dataset.classes={list(wanted)} names a class twice")
    return numbers


def _class_number(wanted: str | int, names: Sequence[str]) -> int:
    if isinstance(wanted, str) and wanted in names:
        return names.index(wanted)
    if isinstance(wanted, int) and 0 <= wanted < len(names):
        return wanted
    if isinstance(wanted, int):
        raise DataError(
            f"dataset.classes: there is no class {wanted}, they are numbered 0 to {len(names) - 1}"
        )
    near = difflib.get_close_matches(wanted, names, 3) or list(names[:3])
    raise DataError(f"dataset.classes: there is no class {wanted!r}; near ones are {', '.join(near)}")


def thin_out(
    numbers: np.ndarray, labels: np.ndarray, classes: list[int], limit: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """The first `limit` of the images of `classes`, and their new labels int64 (places in `classes`)."""
    renamed = np.full(max(int(labels.max(initial=0)), *classes) + 1, -1, np.int64)
    renamed[classes] = np.arange(len(classes))
    new = renamed[labels[numbers]]
    kept = np.flatnonzero(new >= 0)[:limit]
    return numbers[kept], new[kept]
