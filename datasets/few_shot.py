"""From classes of drawings to the three parts of a few-shot data set, which share no class."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from datasets.config import EpisodesConfig
from datasets.types import ClassSplit, DataError, Episodes

PARTS = ("train", "validation", "test")
TURNS = (0, 90, 180, 270)


class Drawn(NamedTuple):
    """A class: its name, what it belongs to, such as an alphabet, its images uint8 `[n, C, H, W]`, or vectors
    float32 `[n, D]`, and what describes it, float32 `[A]`."""

    name: str
    group: str
    images: np.ndarray
    attributes: np.ndarray | None = None


def build(
    name: str, config: EpisodesConfig, classes: Sequence[Drawn], digests: Mapping[str, str]
) -> Episodes:
    """The data set `name` of `classes`, divided as the configuration's lists say.

    Raises `DataError` if a list names what there is not, two lists share a class, a part has none or a class
    no image.
    """
    vectors = classes[0].images.ndim == 2
    if vectors and config.rotations:
        raise DataError("dataset.rotations=true turns images, and these are vectors")
    parts = divide(config, [(one.name, one.group) for one in classes])
    splits = {}
    for part, numbers in parts.items():
        chosen = [classes[number] for number in numbers[: config.limit]]
        if not chosen:
            raise DataError(f"no class of {name} is left in its {part} part; dataset.{part} says which are")
        if empty := [one.name for one in chosen if not len(one.images)]:
            raise DataError(f"class {empty[0]} of {name} has no image")
        splits[part] = _split([turned for one in chosen for turned in _turned(one, config.rotations)])
    settings = {k: v for k, v in dataclasses.asdict(config).items() if k != "batch_size"}
    what: dict[str, Any] = {"name": name, "files": dict(digests), "settings": settings}
    checksum = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()
    shape = tuple(classes[0].images.shape[1:])
    levels = None if vectors else 256
    return Episodes(name, checksum, shape, levels, splits["train"], splits["validation"], splits["test"])


def divide(config: EpisodesConfig, classes: Sequence[tuple[str, str]]) -> dict[str, list[int]]:
    """Numbers of the classes of each part, from their names and groups.

    A list names groups or classes; the one that is null, if one is, gets what the others leave.
    """
    owner: dict[int, str] = {}
    for part in PARTS:
        for wanted in getattr(config, part) or ():
            found = [i for i, names in enumerate(classes) if wanted in names]
            if not found:
                known = sorted({word for names in classes for word in names})
                near = difflib.get_close_matches(wanted, known, 3) or known[:3]
                raise DataError(f"dataset.{part}: there is no {wanted!r}; near ones are {', '.join(near)}")
            for i in found:
                if owner.setdefault(i, part) != part:
                    raise DataError(f"{classes[i][0]} is in both dataset.{owner[i]} and dataset.{part}")
    rest = [part for part in PARTS if getattr(config, part) is None]
    if len(rest) > 1:
        raise DataError(f"dataset.{rest[0]} and dataset.{rest[1]} are both null; one part can get the rest")
    return {
        part: [i for i in range(len(classes)) if owner.get(i, rest[0] if rest else None) == part]
        for part in PARTS
    }


def _turned(one: Drawn, rotations: bool) -> list[Drawn]:
    """A class, and its quarter turns as classes of their own (Santoro et al., 2016)."""
    if not rotations:
        return [one]
    return [
        one._replace(name=f"{one.name}/rot{turn:03}", images=np.rot90(one.images, turn // 90, (2, 3)))
        for turn in TURNS
    ]


def _split(classes: Sequence[Drawn]) -> ClassSplit:
    images = np.concatenate([one.images for one in classes])
    described = [one.attributes for one in classes if one.attributes is not None]
    return ClassSplit(
        torch.from_numpy(images),
        np.array([len(one.images) for one in classes]),
        [one.name for one in classes],
        [one.group for one in classes],
        torch.from_numpy(np.stack(described)) if described else None,
    )
