"""What few-shot data sets share whose pictures lie in a folder `images/` that a person has laid out."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from datasets.cache import cached
from datasets.config import EpisodesConfig
from datasets.files import damaged
from datasets.pictures import Recipe, decode
from datasets.types import Access, DataError

Config = TypeVar("Config", bound=EpisodesConfig)


def decoded(name: str, home: Path, files: Sequence[str], size: int, access: Access) -> np.ndarray:
    """The central squares of the pictures, uint8 `[N, 3, size, size]`, decoded once and read from the cache.

    Raises `DataError` where one is not there or cannot be read.
    """
    recipe = Recipe(short=size, square=True)

    def pictures() -> Iterator[np.ndarray]:
        for file in files:
            path = home / "images" / file
            with damaged(path):
                data = path.read_bytes()
            yield decode(data, str(path), recipe)[None]

    key = hashlib.sha256(state(home, files).encode()).hexdigest()[:16]
    place = cached(access.cache / name / "decoded" / f"{key}-{size}.npy", (3, size, size), pictures)
    return np.asarray(np.load(place, mmap_mode="r", allow_pickle=False))


def state(home: Path, files: Sequence[str]) -> str:
    """Identifies the pictures by their names and sizes."""
    digest = hashlib.sha256()
    for file in files:
        path = home / "images" / file
        with damaged(path):
            digest.update(f"{file}\0{path.stat().st_size}\n".encode())
    return f"sha256:{digest.hexdigest()}"


def refuse_outside(table: Path, files: Sequence[str]) -> None:
    """Raises `DataError` for a name in `table` that leads out of `images/`."""
    for file in files:
        if ".." in Path(file).parts or Path(file).is_absolute():
            raise DataError(f"{table} names {file}, which is not below images/")


def parted(config: Config, train: Sequence[str], validation: Sequence[str], test: Sequence[str]) -> Config:
    """The configuration with these lists of classes, where it gives none itself."""
    if not (config.train is config.validation is config.test is None):
        return config
    return dataclasses.replace(config, train=tuple(train), validation=tuple(validation), test=tuple(test))
