"""What methods and the runner see of data sets: the typed data, how it is reached and how it fails.

Importing this module does not import torch, so that names and kinds are checked before anything heavy loads.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


class DataError(Exception):
    """Data that is missing, damaged or not what it should be: one sentence that a user can act upon."""


@dataclass(frozen=True)
class Access:
    """Where data may be read, fetched and cached; the `data` node of the configuration.

    Attributes:
        root: the reader's own folder; `<root>/<name>` is used read-only where it exists.
        mirror: base address (or folder) tried before the official one; file names are kept.
        cache: folder of what this program downloads, decodes or computes.
        download: whether naming a downloadable set permits fetching it.
        workers: processes that decode; None lets the data decide.
    """

    root: Path | None
    mirror: str | None
    cache: Path
    download: bool
    workers: int | None


@dataclass(frozen=True)
class DatasetEntry:
    """How a data set is found by name, without importing what reads it.

    Attributes:
        name: what the user types, and the name of its YAML.
        summary: one line for `run list`.
        config: the dataclass of its settings.
        load: `"module:function"`, called as `function(config, access, kind)`, which returns the data.
        kinds: the kinds of data it can be read as, such as `("images",)`.
        files: `"module:function"` called as `function(config)`, which lists its `RemoteFile`s; else None.
    """

    name: str
    summary: str
    config: type
    load: str
    kinds: tuple[str, ...]
    files: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.kinds, str):
            raise TypeError(f'data set {self.name}: kinds is a tuple, as in ("{self.kinds}",)')


@dataclass(frozen=True)
class RemoteFile:
    """One official file: where it comes from and how to know that it is the right one.

    Attributes:
        name: file name below the data set's folder.
        url: official address; None where a person must fetch it by hand (a licence, a form).
        checksum: `"md5:..."` or `"sha256:..."`; None where none is published.
        bytes: size, if known.
        page: page that describes it, for files without a direct address.
        content: checksum of what a `.gz` holds, which also accepts it unpacked or packed anew.
        also: checksums of other packagings that were published under the same name.
        places: sub-folders of the data set's folder, and of `data.root`, that are looked into, for other
            programs' layouts.
        unpacked: path of what the archive holds, taken instead of the archive where it exists.
    """

    name: str
    url: str | None
    checksum: str | None
    bytes: int | None = None
    page: str | None = None
    content: str | None = None
    also: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    unpacked: str | None = None


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

    def __post_init__(self) -> None:
        for part in ("train", "validation", "test"):
            if len(getattr(self, part)):
                self._check(part)

    def _check(self, part: str) -> None:
        """Raises `DataError` if a few images of a part are not what the attributes say."""
        import torch

        split = getattr(self, part)
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


Loader = Callable[[Any, Access, str], Any]
"""`(config, access, kind) -> data`: what `DatasetEntry.load` names."""
