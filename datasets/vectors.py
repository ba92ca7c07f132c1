"""Classes of vectors that are drawn, and need no files: few-shot learning where all is known."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable

import numpy as np
import torch

from datasets.config import DescribedConfig, DistractorsConfig, VectorsConfig
from datasets.types import Access, ClassSplit, Episodes

PARTS = {"train": 0, "validation": 1, "test": 2}

Draw = Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray | None]]
"""A generator and a number of classes to vectors `[classes, images, D]` and the classes' attributes."""


def distractors(config: DistractorsConfig, access: Access, kind: str) -> Episodes:
    """Classes that differ in their first `useful` numbers alone; the others are noise, the same for all.

    A class's mean is normal with deviation `spread` in each useful number, and its vectors lie around it with
    deviation 1; so do the irrelevant numbers around 0.
    """

    def draw(random: np.random.Generator, many: int) -> tuple[np.ndarray, None]:
        means = np.zeros((many, 1, config.useful + config.irrelevant))
        means[..., : config.useful] = config.spread * random.standard_normal((many, 1, config.useful))
        return means + random.standard_normal((many, config.images, means.shape[-1])), None

    return _built("distractors", config, draw)


def described(config: DescribedConfig, access: Access, kind: str) -> Episodes:
    """Classes that are known by attributes, of which their vectors are a linear map, and noise.

    The attributes of a class are standard normal; the map, one for all parts, keeps variances at 1, and
    vectors lie around what it gives with deviation `noise`.
    """
    random = np.random.default_rng(len(PARTS))
    map_ = random.standard_normal((config.attributes, config.features)) / config.attributes**0.5

    def draw(random: np.random.Generator, many: int) -> tuple[np.ndarray, np.ndarray]:
        v = random.standard_normal((many, config.attributes))
        noise = config.noise * random.standard_normal((many, config.images, config.features))
        return (v @ map_)[:, None] + noise, v

    return _built("described", config, draw)


def _built(name: str, config: VectorsConfig, draw: Draw) -> Episodes:
    settings = {k: v for k, v in dataclasses.asdict(config).items() if k != "batch_size"}
    what = json.dumps({"name": name, "settings": settings}, sort_keys=True)
    parts = {part: _part(part, config, draw) for part in PARTS}
    shape = tuple(parts["train"].images.shape[1:])
    checksum = hashlib.sha256(what.encode()).hexdigest()
    return Episodes(name, checksum, shape, None, parts["train"], parts["validation"], parts["test"])


def _part(part: str, config: VectorsConfig, draw: Draw) -> ClassSplit:
    many = config.classes[PARTS[part]]
    vectors, attributes = draw(np.random.default_rng(PARTS[part]), many)
    return ClassSplit(
        torch.from_numpy(vectors).float().flatten(0, 1),
        np.full(many, config.images),
        [f"{part}{i:04}" for i in range(many)],
        [part] * many,
        None if attributes is None else torch.from_numpy(attributes).float(),
    )
