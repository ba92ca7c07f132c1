"""What data sets share whose images are drawn here: kept below `data.cache`, in three parts, with factors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from datasets.blocks import ArrayBlock
from datasets.build import build, refuse_falsified
from datasets.cache import cached
from datasets.config import SpritesConfig
from datasets.types import Access, Factor, Images


@dataclass(frozen=True)
class Drawing:
    """What is known of images before they are drawn.

    Attributes:
        version: changes with what is drawn, but for its size; part of a file's name.
        sizes: of the parts, which lie one after the other.
        labels: int64 `[N]`.
        classes: their names.
        factors: what else is known, `[N]` each.
    """

    version: str
    sizes: Mapping[str, int]
    labels: np.ndarray
    classes: tuple[str, ...]
    factors: Mapping[Factor, np.ndarray]


def build_drawn(
    name: str,
    config: SpritesConfig,
    access: Access,
    drawing: Drawing,
    chunks: Callable[[], Iterator[np.ndarray]],
) -> Images:
    """The data set of grey images that `chunks` draws, uint8 `[n, 1, size, size]`, if they were not before.

    Raises `DataError` as `build` does, and if the images cannot be kept.
    """
    refuse_falsified(name, config, drawing.factors)
    path = access.cache / name / f"{drawing.version}-{config.size}.npy"
    images = np.load(cached(path, (1, config.size, config.size), chunks), mmap_mode="r", allow_pickle=False)
    block = ArrayBlock(images, drawing.labels, config.size, config.levels)
    ends = np.cumsum(list(drawing.sizes.values()))
    numbers = np.split(np.arange(len(drawing.labels)), ends[:-1])
    parts = {part: (block, own) for part, own in zip(drawing.sizes, numbers, strict=True)}
    digests = {"version": drawing.version}
    return build(name, config, access, parts, drawing.classes, digests, drawing.factors)
