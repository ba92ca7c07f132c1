"""From official lists of images to the three parts that methods see."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from datasets.blocks import Block
from datasets.config import ImageConfig
from datasets.parts import chosen_classes, thin_out
from datasets.stores import StoredSplit
from datasets.types import Access, DataError, Images, RemoteFile

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
    factors: Mapping[str, np.ndarray] | None = None,
) -> Images:
    """The data set `name` made of `parts`; `digests` identify the bytes that it was read from.

    `factors` are what is known of each image of the official list, beside its class, `[N]` by name; all parts
    are then taken from one list.

    Raises `DataError` if classes are unknown, a part is empty or a crop does not fit.
    """
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
        known = None
        if factors:
            columns = np.stack([column[numbers] for column in factors.values()], 1)
            known = torch.from_numpy(columns.astype(np.float32))
        splits[part] = StoredSplit(
            store, torch.from_numpy(labels), config.flip and training, config.crop if training else 0, known
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
        factors=tuple(factors or ()),
    )


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
