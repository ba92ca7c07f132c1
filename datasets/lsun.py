"""LSUN scenes: JPEG pictures in an lmdb, shrunk to a short side of 96 and cut to 64x64 as in Real NVP."""

from __future__ import annotations

import contextlib
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from datasets import sources
from datasets.archives import FileList
from datasets.blocks import Block
from datasets.build import build
from datasets.config import HeldOutConfig
from datasets.download import obtain
from datasets.files import atomic, damaged, is_unpacked, locked, own_digest, writing
from datasets.parts import hold_out
from datasets.pictures import Recipe, decode
from datasets.stores import Store
from datasets.types import Access, DataError, Images, RemoteFile

MARGIN = 1.5
"""Short side before the crop, as a multiple of the crop's: 96 for 64 (Dinh et al., 2017, section 4.1)."""

_ENVIRONMENTS: dict[str, tuple[int, Any]] = {}
"""What is open, by path, and in which process: lmdb refuses to open a file twice in one process."""


def bedroom(config: HeldOutConfig, access: Access, kind: str) -> Images:
    """Bedrooms, `[3, 64, 64]`, 3033042 + 300 (Yu et al., 2015)."""
    return _load("lsun_bedroom", sources.lsun_bedroom(config), config, access)


def tower(config: HeldOutConfig, access: Access, kind: str) -> Images:
    """Towers, `[3, 64, 64]`, 708264 + 300 (Yu et al., 2015)."""
    return _load("lsun_tower", sources.lsun_tower(config), config, access)


def church(config: HeldOutConfig, access: Access, kind: str) -> Images:
    """Churches from outside, `[3, 64, 64]`, 126227 + 300 (Yu et al., 2015)."""
    return _load("lsun_church", sources.lsun_church(config), config, access)


def _load(name: str, files: list[RemoteFile], config: HeldOutConfig, access: Access) -> Images:
    paths = [unpack(name, file, access) for file in files]
    digests = {file.name: own_digest(path, access) for file, path in zip(files, paths, strict=True)}
    train, test = (
        LmdbFiles(path.parent, access.cache / name / f"{digest.partition(':')[2][:32]}-keys.npy")
        for path, digest in zip(paths, digests.values(), strict=True)
    )
    trained, held = hold_out(len(train), config.validation, name)
    parts = {
        "train": (SceneBlock(train, config, moving=True), trained),
        "validation": (SceneBlock(train, config, moving=False), held),
        "test": (SceneBlock(test, config, moving=False), np.arange(len(test))),
    }
    return build(name, config, access, parts, (name.removeprefix("lsun_"),), digests)


def unpack(name: str, file: RemoteFile, access: Access) -> Path:
    """Path of the `data.mdb` inside an official zip, which is copied into the cache once."""
    path = obtain(name, file, access)
    inner = str(file.unpacked)
    if is_unpacked(path, file):
        return path
    target = access.cache / name / inner
    with writing(target), locked(target):
        if not target.is_file():
            with atomic(target) as temporary, damaged(path), zipfile.ZipFile(path) as archive:
                _copy(archive, inner, temporary)
    return target


def _copy(archive: zipfile.ZipFile, member: str, target: Path) -> None:
    from tqdm import tqdm

    size = archive.getinfo(member).file_size
    bar = tqdm(total=size, desc=f"unpacking {member}", unit="B", unit_scale=True, disable=None)
    with archive.open(member) as packed, target.open("wb") as out, bar:
        while chunk := packed.read(1 << 20):
            out.write(chunk)
            bar.update(len(chunk))


@contextlib.contextmanager
def _lmdb_errors(path: Path) -> Iterator[None]:
    try:
        import lmdb
    except ImportError as error:
        raise DataError("LSUN needs the package lmdb (pip install lmdb)") from error
    try:
        yield
    except lmdb.Error as error:
        raise DataError(f"{path} is damaged or no lmdb: {error}") from error


class LmdbFiles(FileList):
    """The values of an lmdb, in the order of their keys, which are kept at `index` once listed."""

    def __init__(self, path: Path, index: Path) -> None:
        super().__init__(path)
        if not index.is_file():
            with writing(index), atomic(index) as temporary:
                np.save(temporary, self._keys())
        with damaged(index):
            self.keys = np.load(index, allow_pickle=False)
        if not len(self.keys):
            raise DataError(f"{path} holds no pictures")

    def _keys(self) -> np.ndarray:
        with _lmdb_errors(self.path), self.opened().begin() as transaction:
            return np.array(list(transaction.cursor().iternext(values=False)), "S")

    def __len__(self) -> int:
        return len(self.keys)

    def name(self, number: int) -> str:
        return bytes(self.keys[number]).decode("utf-8", "replace")

    def opened(self) -> Any:
        key, process = str(self.path.resolve()), os.getpid()
        owner, environment = _ENVIRONMENTS.get(key, (process, None))
        if owner != process:
            environment.close()  # a fork's copy, which counts as open; the parent's stays as it is
        if owner != process or environment is None:
            environment = self._reopen()
            _ENVIRONMENTS[key] = (process, environment)
        return environment

    def _reopen(self) -> Any:
        with _lmdb_errors(self.path):
            import lmdb

            return lmdb.open(str(self.path), readonly=True, lock=False, readahead=False, create=False)

    def read(self, number: int) -> bytes:
        with _lmdb_errors(self.path), self.opened().begin() as transaction:
            data = transaction.get(bytes(self.keys[number]))
        if data is None:
            raise DataError(f"{self.path} lacks the picture {self.name(number)}")
        return bytes(data)


class SceneBlock(Block):
    """Pictures whose crop is chosen when they are read: anywhere if `moving`, else in the centre."""

    def __init__(self, files: FileList, config: HeldOutConfig, moving: bool) -> None:
        self.files, self.moving, self.size = files, moving, config.size or 64
        self.labels = np.zeros(len(files), np.int64)
        self.shape = (3, self.size, self.size)
        self.recipe = Recipe(short=int(self.size * MARGIN), levels=config.levels)

    def bytes(self, count: int) -> int:
        # Pictures are kept whole, and most are about four thirds as wide as high.
        return int(count * 3 * (self.size * MARGIN) ** 2 * 4 / 3)

    def pixels(self, numbers: np.ndarray) -> np.ndarray:
        return SceneStore(self, numbers, None, self.moving).read(torch.arange(len(numbers))).numpy()

    def picture(self, number: int) -> np.ndarray:
        """The whole picture, uint8 `[3, H, W]` with `min(H, W)` of 1.5 times the crop's side."""
        return decode(self.files.read(number), self.files.label(number), self.recipe)

    def store(self, numbers: np.ndarray, in_memory: bool, cache: Path, threads: int) -> Store:
        held = [self.picture(number) for number in numbers.tolist()] if in_memory else None
        return SceneStore(self, numbers, held, self.moving)


class SceneStore(Store):
    """Crops of the pictures `numbers` (`[N]`) of a block, decoded each time unless they are held."""

    def __init__(
        self, block: SceneBlock, numbers: np.ndarray, held: list[np.ndarray] | None, moving: bool
    ) -> None:
        self.block, self.numbers, self.held, self.moving = block, numbers, held, moving

    @property
    def plain(self) -> SceneStore:
        return SceneStore(self.block, self.numbers, self.held, moving=False)

    def __len__(self) -> int:
        return len(self.numbers)

    def read(self, indices: Tensor) -> Tensor:
        places = torch.rand(len(indices), 2) if self.moving else torch.full((len(indices), 2), 0.5)
        crops = np.empty((len(indices), *self.block.shape), np.uint8)
        for row, (index, place) in enumerate(zip(indices.tolist(), places.tolist(), strict=True)):
            picture = self.held[index] if self.held else self.block.picture(int(self.numbers[index]))
            crops[row] = crop(picture, self.block.size, *place)
        return torch.from_numpy(crops)


def crop(picture: np.ndarray, side: int, down: float, right: float) -> np.ndarray:
    """The square of `side` pixels at `down` and `right` in `[0, 1)` of the way, from `[C, H, W]`."""
    top = int(down * (picture.shape[1] - side + 1))
    left = int(right * (picture.shape[2] - side + 1))
    return picture[:, top : top + side, left : left + side]
