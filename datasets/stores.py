"""Where a part's pixels come from: memory, a memory-mapped file, or pictures decoded when asked for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from datasets.archives import FileList
from datasets.augment import augment
from datasets.pictures import Recipe, decode
from datasets.types import DataError, ImageBatch, ImageSplit


class Store(ABC):
    """Images of one size that are read by whole index batches."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of images."""

    @abstractmethod
    def read(self, indices: Tensor) -> Tensor:
        """A fresh uint8 tensor `[B, C, H, W]` of the images at `indices`."""

    @property
    def plain(self) -> Store:
        """The same images, where reading them draws random numbers, without these."""
        return self


class MemoryStore(Store):
    """Images held as one uint8 tensor `[N, C, H, W]`."""

    def __init__(self, images: Tensor) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def read(self, indices: Tensor) -> Tensor:
        return self.images.index_select(0, indices)


class MappedStore(Store):
    """Images `numbers` (all, if None) of an `.npy` file `[N, C, H, W]`, mapped when first read."""

    def __init__(self, path: Path, numbers: np.ndarray | None = None) -> None:
        self.path, self.numbers = path, numbers
        self._mapped: np.ndarray | None = None

    def _array(self) -> np.ndarray:
        if self._mapped is None:
            self._mapped = np.load(self.path, mmap_mode="r", allow_pickle=False)
        return self._mapped

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_mapped": None}

    def __len__(self) -> int:
        return len(self._array()) if self.numbers is None else len(self.numbers)

    def read(self, indices: Tensor) -> Tensor:
        rows = indices.numpy() if self.numbers is None else self.numbers[indices.numpy()]
        return torch.from_numpy(np.asarray(self._array()[rows]))


class PictureStore(Store):
    """Pictures `numbers` (`[N]`) of a list of files, decoded each time they are asked for."""

    def __init__(
        self, files: FileList, numbers: np.ndarray, recipe: Recipe, shape: tuple[int, int, int]
    ) -> None:
        self.files, self.numbers, self.recipe, self.shape = files, numbers, recipe, shape

    def __len__(self) -> int:
        return len(self.numbers)

    def picture(self, index: int) -> np.ndarray:
        """One picture, uint8 `[C, H, W]`; raises `DataError` if it is damaged or of another size."""
        number = int(self.numbers[index])
        label = self.files.label(number)
        pixels = decode(self.files.read(number), label, self.recipe)
        if pixels.shape != self.shape:
            size, first = (f"{shape[2]}x{shape[1]}" for shape in (pixels.shape, self.shape))
            raise DataError(
                f"{label} has {size} pixels, others {first}: dataset.size=N brings all to one size"
            )
        return pixels

    def read(self, indices: Tensor) -> Tensor:
        pixels = np.empty((len(indices), *self.shape), np.uint8)
        for row, index in enumerate(indices.tolist()):
            pixels[row] = self.picture(index)
        return torch.from_numpy(pixels)


class StoredSplit(ImageSplit):
    """A part of a data set: a store, its labels int64 `[N]`, what is done to training batches, and factors
    float32 `[N, F]`."""

    def __init__(
        self, store: Store, labels: Tensor, flip: bool = False, crop: int = 0, factors: Tensor | None = None
    ) -> None:
        self.store, self.labels, self.flip, self.crop, self._factors = store, labels, flip, crop, factors

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def plain(self) -> StoredSplit:
        return StoredSplit(self.store.plain, self.labels, factors=self._factors)

    @property
    def factors(self) -> Tensor | None:
        return self._factors

    def batch(self, indices: Tensor) -> ImageBatch:
        images = augment(self.store.read(indices), self.flip, self.crop)
        return ImageBatch(images, self.labels.index_select(0, indices))
