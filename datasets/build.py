"""From official lists of images to the three parts that methods see."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from datasets.blocks import Block
from datasets.config import ImageConfig
from datasets.parts import chosen_classes, thin_out
from datasets.stores import StoredSplit
from datasets.types import Access, DataError, Factor, Images, RemoteFile

MEMORY = 4 << 30
"""Bytes of decoded images up to which `dataset.in_memory=auto` holds them in memory."""

NOT_READ = frozenset({"batch_size", "in_memory", "flip", "crop", "path", "size", "classes"})
"""Settings that do not change what is read, or that the checksum covers by what they lead to."""

Parts = Mapping[str, tuple[Block, np.ndarray]]
"""For `train`, `validation` and `test`: an official list and the numbers of the images taken from it."""


def build(
    name: str,
    config: ImageConfig,
    access: Access,
    parts: Parts,
    classes: Sequence[str],
    digests: Mapping[str, str],
    factors: Mapping[Factor, np.ndarray] | None = None,
) -> Images:
    """The data set `name` made of `parts`; `digests` identify the bytes that it was read from.

    `factors` are what is known of each image of the official list, `[N]`; all parts are then taken from one
    list.

    Raises `DataError` if classes are unknown, a part is empty, or training images would be changed so that
    their factors no longer hold.
    """
    known = dict(factors or {})
    refuse_falsified(name, config, known)
    kept = chosen_classes(config.classes, classes)
    chosen = {
        part: thin_out(numbers, block.labels, kept, config.limit) for part, (block, numbers) in parts.items()
    }
    for part, (numbers, _) in chosen.items():
        if not len(numbers):
            raise DataError(
                f"no image of {name} is left in its {part} part; dataset.classes may be too narrow"
            )
    shape = parts["train"][0].shape
    checksum = _checksum(name, config, shape, kept, digests)
    in_memory = _in_memory(config, parts, chosen)
    splits = {}
    for part, (numbers, labels) in chosen.items():
        cache = access.cache / name / "decoded" / f"{checksum[:32]}-{part}.npy"
        store = parts[part][0].store(numbers, in_memory, cache, access.workers or torch.get_num_threads())
        training = part == "train"
        splits[part] = StoredSplit(
            store,
            torch.from_numpy(labels),
            config.flip and training,
            config.crop if training else 0,
            _columns(known, parts[part][0], numbers),
        )
    names = tuple(classes[number] for number in kept)
    return Images(
        name,
        checksum,
        shape,
        config.levels,
        names,
        **splits,
        in_memory=in_memory,
        known=tuple(known),
    )


def refuse_falsified(name: str, config: ImageConfig, factors: Iterable[Factor]) -> None:
    """Raises `DataError` for a setting that changes training images but not their factors."""
    for key in ("flip", "crop"):
        value = getattr(config, key)
        if value and (wrong := [factor.name for factor in factors if key in factor.falsified_by]):
            raise DataError(
                f"dataset.{key}={str(value).lower()} would falsify what is known of images of {name}, "
                f"{' and '.join(wrong)}; give dataset.{key}={str(type(value)()).lower()}"
            )


def _columns(factors: Mapping[Factor, np.ndarray], block: Block, numbers: np.ndarray) -> torch.Tensor | None:
    """float32 `[n, F]` of the images with these numbers; raises `ValueError` for a column of another list."""
    for factor, column in factors.items():
        if column.shape != block.labels.shape:
            raise ValueError(f"{factor.name} has {column.shape} values for {block.labels.shape} images")
    if not factors:
        return None
    return torch.from_numpy(np.stack([c[numbers] for c in factors.values()], 1).astype(np.float32))


def _in_memory(
    config: ImageConfig, parts: Parts, chosen: Mapping[str, tuple[np.ndarray, np.ndarray]]
) -> bool:
    if config.in_memory != "auto":
        return config.in_memory
    return sum(parts[part][0].bytes(len(numbers)) for part, (numbers, _) in chosen.items()) <= MEMORY


def _checksum(
    name: str,
    config: ImageConfig,
    shape: tuple[int, int, int],
    classes: list[int],
    digests: Mapping[str, str],
) -> str:
    settings: dict[str, Any] = {
        field.name: getattr(config, field.name)
        for field in dataclasses.fields(config)
        if field.name not in NOT_READ
    }
    what = {"name": name, "files": dict(digests), "shape": shape, "classes": classes, "settings": settings}
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


def official(files: Sequence[RemoteFile]) -> dict[str, str]:
    """What identifies checked official files: the same for every packaging of the same content."""
    return {file.name: str(file.content or file.checksum) for file in files}
