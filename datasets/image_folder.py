"""A person's own pictures: classes from sub-folders, in a folder or a zip."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections import defaultdict
from pathlib import Path

import numpy as np

from datasets.archives import FolderFiles, ZipFiles
from datasets.blocks import PictureBlock
from datasets.build import build
from datasets.config import FolderConfig
from datasets.files import remembered
from datasets.parts import permutation
from datasets.pictures import SUFFIXES, Recipe
from datasets.types import Access, DataError, Images

FOLDERS = {
    "train": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
}
"""Names of sub-folders that hold parts."""

Files = FolderFiles | ZipFiles
Name = tuple[str, ...]
"""A path as its parts."""


def load(config: FolderConfig, access: Access, kind: str) -> Images:
    """The pictures at `dataset.path`.

    `train/<class>/...` and `test/<class>/...` (and `validation`) are parts where they exist; else
    `dataset.split` divides all pictures. Pictures without class folders are one class; a single folder around
    it all is skipped. The order within a part is mixed, so that `dataset.limit` takes some of each class.
    Raises `DataError` if there is no such path, no picture, or pictures lie both in and beside class folders.
    """
    files = _open(config.path)
    names = _pictures(files)
    paths = list(names.values())
    parted = all(len(path) > 1 and path[0] in FOLDERS for path in paths)
    kinds = [path[int(parted) : -1][:1] for path in paths]
    classes = _classes(kinds, files)
    places = {name: number for number, name in enumerate(classes)}
    labels = np.array([places[kind[0]] if kind else 0 for kind in kinds], np.int64)
    recipe = Recipe(
        1 if config.grey else 3, None, config.size, config.size is not None, config.levels, upright=True
    )
    block = PictureBlock(files, np.array(list(names), np.int64), labels, recipe)
    order = permutation(len(paths), "image_folder")
    shares = _by_folder(paths, order, config, files) if parted else _by_share(order, config, files)
    parts = {part: (block, shares[part]) for part in ("train", "validation", "test")}
    return build("image_folder", config, access, parts, classes, {"pictures": _digest(files, names, access)})


def _open(path: str | None) -> Files:
    if path is None:
        raise DataError("image_folder needs dataset.path=FOLDER or dataset.path=FILE.zip")
    place = Path(path).expanduser()
    if place.is_dir():
        return FolderFiles(place)
    if not place.is_file():
        raise DataError(f"dataset.path={path} does not exist")
    if not zipfile.is_zipfile(place):
        raise DataError(f"dataset.path={path} is neither a folder nor a zip file")
    return ZipFiles(place)


def _pictures(files: Files) -> dict[int, Name]:
    """Numbers and names of the pictures, without the folder around them all."""
    named = {number: tuple(files.name(number).split("/")) for number in range(len(files))}
    named = {number: name for number, name in named.items() if _is_picture(name)}
    if not named:
        raise DataError(f"dataset.path={files.path} holds no pictures")
    tops = {name[0] for name in named.values()}
    if len(tops) == 1 and not tops & FOLDERS.keys() and all(len(name) > 2 for name in named.values()):
        return {number: name[1:] for number, name in named.items()}
    return named


def _is_picture(name: Name) -> bool:
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in name)
    return os.path.splitext(name[-1])[1].lower() in SUFFIXES and not hidden


def _classes(kinds: list[Name], files: Files) -> list[str]:
    if not any(kinds):
        return ["image"]
    if not all(kinds):
        raise DataError(f"dataset.path={files.path} holds pictures both in class folders and beside them")
    return sorted({kind[0] for kind in kinds})


def _by_folder(
    paths: list[Name], order: np.ndarray, config: FolderConfig, files: Files
) -> dict[str, np.ndarray]:
    parts: dict[str, list[int]] = defaultdict(list)
    for number in order.tolist():
        parts[FOLDERS[paths[number][0]]].append(number)
    if "test" not in parts and "validation" in parts:
        parts["test"] = parts.pop("validation")
    if not {"train", "test"} <= parts.keys():
        raise DataError(f"dataset.path={files.path} has a folder for a part, but not both train and test")
    if "validation" not in parts:
        held = _held(len(parts["train"]), config)
        parts["validation"], parts["train"] = parts["train"][:held], parts["train"][held:]
    return {part: np.array(numbers, np.int64) for part, numbers in parts.items()}


def _held(items: int, config: FolderConfig) -> int:
    """How many training images are held out for validation."""
    train, validation, _ = config.split
    count = config.validation or max(1, round(items * validation / (train + validation)))
    if count >= items:
        raise DataError(f"dataset.validation={count} leaves nothing of {items} images to train on")
    return count


def _by_share(order: np.ndarray, config: FolderConfig, files: Files) -> dict[str, np.ndarray]:
    validation, test = (max(1, round(share * len(order))) for share in config.split[1:])
    if validation + test >= len(order):
        raise DataError(f"dataset.path={files.path} holds {len(order)} pictures, too few for three parts")
    ends = np.cumsum([len(order) - validation - test, validation])
    return dict(zip(("train", "validation", "test"), np.split(order, ends), strict=True))


def _digest(files: Files, names: dict[int, Name], access: Access) -> str:
    """sha256 over every picture's name, CRC-32 and size: the same for a folder and for a zip of it."""

    def compute() -> str:
        state = hashlib.sha256()
        for number, name in sorted(names.items(), key=lambda item: item[1]):
            crc, size = files.identity(number)
            state.update(f"{'/'.join(name)}\0{crc:08x}\0{size}\n".encode())
        return f"sha256:{state.hexdigest()}"

    return remembered(files.path, [files.state(number) for number in names], compute, access)
