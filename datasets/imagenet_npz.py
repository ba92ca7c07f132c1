"""Downsampled ImageNet (Chrabaszcz, Loshchilov and Hutter, 2017): labelled `.npz` batches inside zips."""

from __future__ import annotations

import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from datasets import sources
from datasets.blocks import ArrayBlock
from datasets.build import build, official
from datasets.cache import cached
from datasets.config import HeldOutConfig
from datasets.download import obtain
from datasets.files import damaged
from datasets.parts import hold_out
from datasets.types import Access, Images, RemoteFile

CLASSES = 1000
ROWS = 4096
"""Images that are converted at a time."""


def load32(config: HeldOutConfig, access: Access, kind: str) -> Images:
    """Natural images in 1000 classes, `[3, 32, 32]`, 1281167 + 50000."""
    return _load("imagenet32_npz", 32, sources.imagenet32_npz(config), config, access)


def load64(config: HeldOutConfig, access: Access, kind: str) -> Images:
    """Natural images in 1000 classes, `[3, 64, 64]`, 1281167 + 50000."""
    return _load("imagenet64_npz", 64, sources.imagenet64_npz(config), config, access)


def _load(name: str, side: int, files: list[RemoteFile], config: HeldOutConfig, access: Access) -> Images:
    paths = [obtain(name, file, access) for file in files]
    digests = official(files)
    train, test = (
        _block(archives, access.cache / name / stem, side, config)
        for archives, stem in (
            (paths[:-1], _key(digests, files[:-1])),
            (paths[-1:], _key(digests, files[-1:])),
        )
    )
    trained, held = hold_out(len(train.labels), config.validation, name)
    parts = {
        "train": (train, trained),
        "validation": (train, held),
        "test": (test, np.arange(len(test.labels))),
    }
    return build(name, config, access, parts, [str(number) for number in range(CLASSES)], digests)


def _key(digests: dict[str, str], files: list[RemoteFile]) -> str:
    return "-".join(digests[file.name].partition(":")[2][:16] for file in files)


def _block(archives: list[Path], stem: Path, side: int, config: HeldOutConfig) -> ArrayBlock:
    """A block of the converted images, which are memory-mapped: unpacked, a part has up to 16 GB."""
    shape = (3, side, side)
    images = cached(
        stem.with_name(f"{stem.name}-images.npy"), shape, lambda: _pixels(archives, stem.parent, shape)
    )
    labels = cached(stem.with_name(f"{stem.name}-labels.npy"), (2,), lambda: _labels(archives, stem.parent))
    with damaged(labels):
        numbers = np.load(labels, allow_pickle=False).view("<u2").reshape(-1)
        pixels = np.load(images, mmap_mode="r", allow_pickle=False)
        if len(numbers) != len(pixels):
            raise ValueError(f"it holds {len(numbers)} labels for {len(pixels)} images")
    return ArrayBlock(pixels, numbers, config.size, config.levels, path=images)


def _pixels(archives: list[Path], scratch: Path, shape: tuple[int, int, int]) -> Iterator[np.ndarray]:
    width = int(np.prod(shape))
    for label, batch in _batches(archives, scratch):
        with damaged(label), batch.open("data.npy") as stream:
            rows, columns, kind = _array_header(stream)
            if columns != width or kind != np.uint8:
                raise ValueError(f"its rows are {kind} {columns} wide instead of uint8 {width}")
            for start in range(0, rows, ROWS):
                count = min(ROWS, rows - start)
                yield np.frombuffer(stream.read(count * width), np.uint8).reshape(count, *shape)


def _array_header(stream: IO[bytes]) -> tuple[int, int, np.dtype]:
    np.lib.format.read_magic(stream)
    (rows, columns), fortran, kind = np.lib.format.read_array_header_1_0(stream)
    if fortran:
        raise ValueError("its rows lie column by column")
    return rows, columns, kind


def _labels(archives: list[Path], scratch: Path) -> Iterator[np.ndarray]:
    """Labels from 0, as pairs of bytes; the files count from 1."""
    for label, batch in _batches(archives, scratch):
        with damaged(label), batch.open("labels.npy") as stream:
            numbers = np.lib.format.read_array(stream, allow_pickle=False).reshape(-1).astype(np.int64) - 1
            if numbers.min() < 0 or numbers.max() >= CLASSES:
                raise ValueError(f"its labels reach from {numbers.min() + 1} to {numbers.max() + 1}")
        yield numbers.astype("<u2").view(np.uint8).reshape(-1, 2)


def _batches(archives: list[Path], scratch: Path) -> Iterator[tuple[str, zipfile.ZipFile]]:
    """The `.npz` files in the archives, by their number; each is copied out, because a zip needs to seek."""
    for path in archives:
        with damaged(path), zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if member.filename.endswith(".npz")]
            for member in sorted(
                members, key=lambda m: [int(n) for n in re.findall(r"\d+", Path(m.filename).name)]
            ):
                with tempfile.TemporaryFile(dir=scratch) as file, archive.open(member) as packed:
                    shutil.copyfileobj(packed, file, 1 << 20)
                    with zipfile.ZipFile(file) as batch:
                        yield f"{path}/{member.filename}", batch
