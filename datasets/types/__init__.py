"""What methods and the runner see of data sets: the typed data, how it is reached and how it fails.

Importing this package does not import torch, so that names and kinds are checked before anything heavy loads.
A kind of data has a module here: images, episodes, tasks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets.types.episodes import ClassSplit, Episode, Episodes, EpisodeSampler
from datasets.types.errors import DataError
from datasets.types.factors import Factor
from datasets.types.images import ImageBatch, Images, ImageSplit, Shuffle
from datasets.types.tasks import Functions, Regressions, RegressionSampler

__all__ = [
    "Access",
    "ClassSplit",
    "DataError",
    "DatasetEntry",
    "Episode",
    "EpisodeSampler",
    "Episodes",
    "Factor",
    "Functions",
    "ImageBatch",
    "ImageSplit",
    "Images",
    "Loader",
    "RegressionSampler",
    "Regressions",
    "RemoteFile",
    "Shuffle",
]  # fmt: skip


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
        optional: read where it lies, and not asked for where it does not.
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
    optional: bool = False


Loader = Callable[[Any, Access, str], Any]
"""`(config, access, kind) -> data`: what `DatasetEntry.load` names."""
