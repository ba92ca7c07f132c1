"""Labelled images of one size."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from datasets.types.errors import DataError
from datasets.types.factors import Factor

if TYPE_CHECKING:
    from torch import Tensor


class ImageBatch(NamedTuple):
    """Images uint8 `[B, C, H, W]` with values in `[0, levels)` and labels int64 `[B]`."""

    images: Tensor
    labels: Tensor


class ImageSplit(ABC):
    """A list of labelled images that is read by whole index batches."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of images."""

    @abstractmethod
    def batch(self, indices: Tensor) -> ImageBatch:
        """The images at `indices` (int64 `[B]`); augmentation draws from torch's default generator."""

    @property
    def factors(self) -> Tensor | None:
        """Values of the data set's known factors, float32 `[N, F]` in the images' order; None where there are
        none."""
        return None

    @property
    def plain(self) -> ImageSplit:
        """The same images without augmentation."""
        return self


@dataclass(frozen=True)
class Images:
    """A labelled image data set in three parts.

    Attributes:
        name: the data set's name.
        checksum: identifies the bytes and the split that were read (hexadecimal).
        shape: `(C, H, W)` of every image.
        levels: number of grey levels; pixel values are integers in `[0, levels)`.
        classes: names of the classes, in the order of the labels.
        train, validation, test: the parts; only `train` is augmented.
        in_memory: False where batches are decoded from files, which is then done in worker processes.
        known: what the columns of the parts' `factors` are.
    """

    kind: ClassVar[str] = "images"

    name: str
    checksum: str
    shape: tuple[int, int, int]
    levels: int
    classes: tuple[str, ...]
    train: ImageSplit
    validation: ImageSplit
    test: ImageSplit
    in_memory: bool = True
    known: tuple[Factor, ...] = ()

    @property
    def factors(self) -> tuple[str, ...]:
        """Names of the known factors, in the order of the columns of the parts' `factors`."""
        return tuple(factor.name for factor in self.known)

    def __post_init__(self) -> None:
        for part in ("train", "validation", "test"):
            if len(getattr(self, part)):
                self._check(part)

    def _check(self, part: str) -> None:
        """Raises `DataError` if a few images of a part are not what the attributes say."""
        import torch

        split = getattr(self, part)
        self._check_factors(part, split)
        images, labels = split.batch(torch.arange(0, len(split), -(-len(split) // 8)))
        wrong = [
            f"{what} {found}, not {told}"
            for what, found, told in (
                ("type", images.dtype, torch.uint8),
                ("shape", tuple(images.shape[1:]), tuple(self.shape)),
                ("labels of type", labels.dtype, torch.int64),
            )
            if found != told
        ]
        if not wrong and not 0 <= int(labels.max()) < len(self.classes):
            wrong = [f"label {int(labels.max())}, but {len(self.classes)} classes"]
        if not wrong and int(images.max()) >= self.levels:
            wrong = [f"value {int(images.max())}, but {self.levels} grey levels"]
        if wrong:
            raise DataError(f"the {part} part of {self.name} has images of {' and '.join(wrong)}")

    def _check_factors(self, part: str, split: ImageSplit) -> None:
        """Raises `DataError` if a part's factors are not a finite column for each that is known."""
        import torch

        told = (len(split), len(self.known)) if self.known else None
        found = split.factors
        if (None if found is None else tuple(found.shape)) != told:
            raise DataError(f"the {part} part of {self.name} has factors that are not {list(self.factors)}")
        for column, factor in zip(() if found is None else found.T, self.known, strict=True):
            choice = torch.isin(column, torch.arange(len(factor.values)).float()).all()
            if not column.isfinite().all() or (factor.values and not choice):
                raise DataError(
                    f"the {part} part of {self.name} has values of the factor {factor.name} that are not "
                    + (f"0 to {len(factor.values) - 1}" if factor.values else "finite")
                )


class Shuffle:
    """An endless, seekable stream of shuffled indices: every item once per epoch, no batch dropped.

    Positions `[step * batch_size, (step + 1) * batch_size)` of the joined permutations make batch `step`, so
    a batch is a function of `(seed, step)` alone and may straddle two epochs.
    """

    def __init__(self, items: int, batch_size: int, seed: int) -> None:
        if items < 1 or batch_size < 1:
            raise ValueError(
                f"Shuffle needs items and a batch size of at least 1, not {items} and {batch_size}"
            )
        self.items, self.batch_size, self.seed = items, batch_size, seed
        self._epochs: dict[int, Tensor] = {}

    def _permutation(self, epoch: int) -> Tensor:
        import torch

        if epoch not in self._epochs:
            # Two epochs at most are alive: the one being read and the one a straddling batch reaches into.
            self._epochs = {k: v for k, v in self._epochs.items() if k == epoch - 1}
            generator = torch.Generator().manual_seed((self.seed * 1_000_003 + epoch) % 2**31)
            self._epochs[epoch] = torch.randperm(self.items, generator=generator)
        return self._epochs[epoch]

    def __call__(self, step: int) -> Tensor:
        """Indices int64 `[batch_size]` of the batch of `step`."""
        import torch

        start, stop = step * self.batch_size, (step + 1) * self.batch_size
        pieces = []
        while start < stop:
            epoch, offset = divmod(start, self.items)
            piece = self._permutation(epoch)[offset : offset + stop - start]
            pieces.append(piece)
            start += len(piece)
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces)
