"""Official lists of labelled images, before they are split, thinned out and stored."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import interpolate

from datasets.archives import FileList
from datasets.cache import cached
from datasets.pictures import Recipe, decode, quantise
from datasets.stores import MappedStore, MemoryStore, PictureStore, Store

CHUNK = 256
"""Images that are decoded or converted at a time."""

WORTH_KEEPING = 2000
"""Pictures from which on their decoded form is kept in the cache."""


class Block(ABC):
    """Labelled images of one shape `(C, H, W)`, with labels int64 `[N]`."""

    labels: np.ndarray
    shape: tuple[int, int, int]

    def bytes(self, count: int) -> int:
        """Memory that `count` images take."""
        return count * math.prod(self.shape)

    @abstractmethod
    def pixels(self, numbers: np.ndarray) -> np.ndarray:
        """uint8 `[n, C, H, W]` of the images with these numbers."""

    @abstractmethod
    def store(self, numbers: np.ndarray, in_memory: bool, cache: Path, threads: int) -> Store:
        """A store of the images with these numbers; `cache` names a file that it may keep."""

    def chunks(self, numbers: np.ndarray, threads: int, label: str) -> Iterator[np.ndarray]:
        """All pixels, chunk by chunk in order, decoded by `threads` threads."""
        from tqdm import tqdm

        pieces = [numbers[start : start + CHUNK] for start in range(0, len(numbers), CHUNK)]
        hidden = None if len(numbers) >= WORTH_KEEPING else True
        with (
            ThreadPoolExecutor(threads) as pool,
            tqdm(total=len(numbers), desc=label, unit="image", disable=hidden) as bar,
        ):
            for start in range(0, len(pieces), 4 * threads):
                for pixels in pool.map(self.pixels, pieces[start : start + 4 * threads]):
                    yield pixels
                    bar.update(len(pixels))

    def memory(self, numbers: np.ndarray, threads: int) -> MemoryStore:
        """A store that holds its images in memory."""
        images = np.empty((len(numbers), *self.shape), np.uint8)
        start = 0
        for pixels in self.chunks(numbers, threads, "reading"):
            images[start : start + len(pixels)] = pixels
            start += len(pixels)
        return MemoryStore(torch.from_numpy(images))


class ArrayBlock(Block):
    """Images that come as one array `[N, C, H, W]`, which may be a mapped `.npy` at `path`."""

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        size: int | None,
        levels: int,
        native: int = 256,
        path: Path | None = None,
    ) -> None:
        self.images, self.labels = images, labels.astype(np.int64)
        self.size, self.levels, self.native, self.path = size, levels, native, path
        channels, height, width = images.shape[1:]
        self.shape = (channels, size or height, size or width)

    def pixels(self, numbers: np.ndarray) -> np.ndarray:
        return quantise(resize(self.images[numbers], self.size), self.native, self.levels)

    def store(self, numbers: np.ndarray, in_memory: bool, cache: Path, threads: int) -> Store:
        if in_memory:
            return self.memory(numbers, 1)
        if self.path and self.shape == self.images.shape[1:] and self.levels == self.native:
            return MappedStore(self.path, numbers)
        return MappedStore(cached(cache, self.shape, lambda: self.chunks(numbers, 1, "converting")))


def resize(images: np.ndarray, size: int | None) -> np.ndarray:
    """Antialiased bilinear resize of uint8 `[N, C, H, W]` to `size` x `size`."""
    if size is None or images.shape[-2:] == (size, size):
        return images
    values = torch.from_numpy(np.ascontiguousarray(images)).float()
    values = interpolate(values, (size, size), mode="bilinear", antialias=True)
    return values.round_().clamp_(0, 255).to(torch.uint8).numpy()


class PictureBlock(Block):
    """Pictures `numbers` of a list of files; all have one shape once the recipe is done with them."""

    def __init__(self, files: FileList, numbers: np.ndarray, labels: np.ndarray, recipe: Recipe) -> None:
        self.files, self.numbers, self.labels, self.recipe = files, numbers, labels.astype(np.int64), recipe
        self.shape = self._shape()

    def _shape(self) -> tuple[int, int, int]:
        if self.recipe.square and self.recipe.short:
            return (self.recipe.channels, self.recipe.short, self.recipe.short)
        first = int(self.numbers[0])
        channels, height, width = decode(self.files.read(first), self.files.label(first), self.recipe).shape
        return (channels, height, width)

    def _pictures(self, numbers: np.ndarray) -> PictureStore:
        return PictureStore(self.files, self.numbers[numbers], self.recipe, self.shape)

    def pixels(self, numbers: np.ndarray) -> np.ndarray:
        return self._pictures(numbers).read(torch.arange(len(numbers))).numpy()

    def store(self, numbers: np.ndarray, in_memory: bool, cache: Path, threads: int) -> Store:
        if not in_memory:
            return self._pictures(numbers)
        if len(numbers) < WORTH_KEEPING:
            return self.memory(numbers, threads)
        path = cached(cache, self.shape, lambda: self.chunks(numbers, threads, "decoding"))
        return MemoryStore(torch.from_numpy(np.load(path, allow_pickle=False)))
