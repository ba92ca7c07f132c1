"""ImageNet as its contest of 2012 gave it: JPEG in 1000 class folders, which a person has laid out.

torchvision's class for it unpickles a file of class names and unpacks archives when it is made; neither is
needed where the pictures lie in its layout, `train/<wnid>/` and `val/<wnid>/`.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from datasets.archives import FileList, FolderFiles
from datasets.blocks import Block
from datasets.build import build
from datasets.config import ImagenetConfig
from datasets.files import folders
from datasets.parts import hold_out, permutation
from datasets.pictures import SUFFIXES, Recipe, decode, quantise
from datasets.stores import Store
from datasets.types import Access, DataError, Images

FOLDERS = ("train", "val")
WNID = re.compile(r"n[0-9]{8}")
PAGE = "https://image-net.org/challenges/LSVRC/2012/2012-downloads.php"
TRIES = 10
"""Boxes that are drawn until one lies within the picture, as torchvision's `RandomResizedCrop` does."""

ASPECT = (3 / 4, 4 / 3)
"""Least and greatest width over height of a training crop (Szegedy et al., CVPR 2015, section 6)."""

Box = tuple[int, int, int, int]
"""Left, top, right and bottom, in pixels."""


def load(config: ImagenetConfig, access: Access, kind: str) -> Images:
    """Natural images in 1000 classes, 1281167 + 50000; the test part is the contest's validation part.

    The files lie class by class; the order within a part is mixed, so that its first images, and
    `dataset.limit`, are of all classes. Raises `DataError` if the folders are not there, hold no pictures, or
    have unlike classes.
    """
    home = _home(access)
    train, test = (ClassFolders(home / part) for part in FOLDERS)
    if train.classes != test.classes:
        odd = sorted({*train.classes} ^ {*test.classes})
        raise DataError(f"{home}: train and val have unlike classes, such as {odd[0]}")
    trained, held = hold_out(len(train), config.validation, "imagenet", mixed=True)
    tested = permutation(len(test), "imagenet test")
    parts: dict[str, tuple[Block, np.ndarray]] = {
        "train": (CropBlock(train, config, moving=True), trained),
        "validation": (CropBlock(train, config, moving=False), held),
        "test": (CropBlock(test, config, moving=False), tested),
    }
    digests = {part: files.digest for part, files in zip(FOLDERS, (train, test), strict=True)}
    # Crops differ from one reading to the next, so nothing that is decoded can be kept.
    return build("imagenet", replace(config, in_memory=False), access, parts, train.classes, digests)


def _home(access: Access) -> Path:
    """The folder that holds `train` and `val`; raises `DataError` saying what is missing."""
    homes = folders("imagenet", access)
    if access.root and any(WNID.fullmatch(path.name) for path in access.root.glob("train/n*")):
        homes.append(access.root)  # torchvision's layout in `data.root` itself
    for home in homes:
        found = [part for part in FOLDERS if (home / part).is_dir()]
        if len(found) == len(FOLDERS):
            return home
        if found:
            raise DataError(f"{home} has {found[0]}/ but not both of train/ and val/")
    place, where = (homes[0], "") if access.root else (Path("DIR/imagenet"), ", for data.root=DIR")
    raise DataError(
        f"imagenet is not here: it must be fetched by hand, from {PAGE}, and unpacked to "
        f"{place}/train/<wnid>/*.JPEG and {place}/val/<wnid>/*.JPEG{where}"
    )


class ClassFolders(FolderFiles):
    """The pictures in the class folders of one part, class by class.

    Attributes:
        classes: names of the folders, in ascending order: WordNet's numbers of the classes.
        labels: the class of each picture, int64 `[N]`.
        digest: identifies the pictures by their names and sizes; their bytes are 140 GB.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.classes = sorted(entry.name for entry in os.scandir(path) if _is_class(entry))
        if not self.classes:
            raise DataError(f"{path} holds no class folders such as n01440764")
        self.names: list[str] = []
        counts, state = [], hashlib.sha256()
        for name in self.classes:
            found = sorted((entry.name, entry.stat().st_size) for entry in _pictures(path / name))
            if not found:
                raise DataError(f"{path / name} holds no pictures")
            counts.append(len(found))
            self.names += [f"{name}/{file}" for file, _ in found]
            state.update("".join(f"{name}/{file}\0{size}\n" for file, size in found).encode())
        self.labels = np.repeat(np.arange(len(self.classes)), counts)
        self.digest = f"sha256:{state.hexdigest()}"


def _is_class(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir() and WNID.fullmatch(entry.name) is not None


def _pictures(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return [one for one in entries if os.path.splitext(one.name)[1].lower() in SUFFIXES and one.is_file()]


class CropBlock(Block):
    """Pictures of which a square is cut: anywhere and of any share if `moving`, else in the centre."""

    def __init__(self, files: ClassFolders, config: ImagenetConfig, moving: bool) -> None:
        self.files, self.config, self.moving = files, config, moving
        self.labels = files.labels
        self.shape = (3, config.size, config.size)

    def pixels(self, numbers: np.ndarray) -> np.ndarray:
        return CropStore(self, numbers, self.moving).read(torch.arange(len(numbers))).numpy()

    def store(self, numbers: np.ndarray, in_memory: bool, cache: Path, threads: int) -> Store:
        return CropStore(self, numbers, self.moving)


class CropStore(Store):
    """Crops of the pictures `numbers` (`[N]`) of a block, decoded each time they are asked for."""

    def __init__(self, block: CropBlock, numbers: np.ndarray, moving: bool) -> None:
        self.block, self.numbers, self.moving = block, numbers, moving

    @property
    def plain(self) -> CropStore:
        return CropStore(self.block, self.numbers, moving=False)

    def __len__(self) -> int:
        return len(self.numbers)

    def read(self, indices: Tensor) -> Tensor:
        # All draws come first: what an image gets does not depend on the sizes of those before it.
        draws = torch.rand(len(indices), TRIES, 4, dtype=torch.float64).tolist() if self.moving else None
        crops = np.empty((len(indices), *self.block.shape), np.uint8)
        for row, index in enumerate(indices.tolist()):
            crops[row] = self._crop(int(self.numbers[index]), None if draws is None else draws[row])
        return torch.from_numpy(crops)

    def _crop(self, number: int, draws: list[list[float]] | None) -> np.ndarray:
        files, config = self.block.files, self.block.config
        if draws is None:
            return _centred(_decoded(files, number, Recipe(short=config.resize)), config)
        pixels = _decoded(files, number, Recipe())
        image = Image.fromarray(pixels.transpose(1, 2, 0))
        box = box_of(image.width, image.height, config.area, draws)
        image = image.crop(box).resize((config.size, config.size), Image.Resampling.BILINEAR)
        return quantise(np.asarray(image).transpose(2, 0, 1), 256, config.levels)


def _decoded(files: FileList, number: int, recipe: Recipe) -> np.ndarray:
    return decode(files.read(number), files.label(number), recipe)


def _centred(pixels: np.ndarray, config: ImagenetConfig) -> np.ndarray:
    top, left = (round((extent - config.size) / 2.0) for extent in pixels.shape[1:])
    square = pixels[:, top : top + config.size, left : left + config.size]
    return quantise(square, 256, config.levels)


def box_of(width: int, height: int, area: float, draws: list[list[float]]) -> Box:
    """The part of a picture that a training crop takes: of `area` to 1 of its area, 3:4 to 4:3 in shape.

    `draws` holds for each try four numbers in [0, 1): for the area, the logarithm of the shape, and the
    place. Where no try lies within the picture, the centre is taken, as nearly of its shape as is allowed.
    """
    low, high = (math.log(aspect) for aspect in ASPECT)
    for share, shape, down, right in draws:
        wanted = width * height * (area + (1 - area) * share)
        aspect = math.exp(low + (high - low) * shape)
        w, h = round(math.sqrt(wanted * aspect)), round(math.sqrt(wanted / aspect))
        if 0 < w <= width and 0 < h <= height:
            left, top = int(right * (width - w + 1)), int(down * (height - h + 1))
            return left, top, left + w, top + h
    w = min(width, round(height * ASPECT[1]))
    h = min(height, round(width / ASPECT[0]))
    left, top = (width - w) // 2, (height - h) // 2
    return left, top, left + w, top + h
