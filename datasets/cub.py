"""Caltech-UCSD Birds 200-2011: 11,788 images of 200 species, which 312 attributes describe (Wah et al.,
2011), from files that a person has laid out."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from datasets.by_hand import decoded, parted, refuse_outside, state
from datasets.config import CubConfig
from datasets.few_shot import Drawn, build, divide
from datasets.files import damaged, file_digest, folders
from datasets.types import Access, DataError, Episodes

LISTS = {"train": "trainclasses.txt", "validation": "valclasses.txt", "test": "testclasses.txt"}
TABLES = ("images.txt", "classes.txt", "image_class_labels.txt")
ATTRIBUTES = "attributes/class_attribute_labels_continuous.txt"
PAGE = "https://www.vision.caltech.edu/datasets/cub_200_2011/"
SPLIT = "https://github.com/reedscot/cvpr2016"


def load(config: CubConfig, access: Access, kind: str) -> Episodes:
    """Birds, as images or as vectors of features; each class has its attributes, as shares between 0 and 1.

    Classes are parted as the lists of Reed et al. (CVPR 2016) say, 100, 50 and 50, unless others are given.
    Raises `DataError` where a file is not there or of another form.
    """
    home = _home(access)
    files, labels, names = _tables(home)
    attributes = _attributes(home / ATTRIBUTES, len(names))
    if config.train is config.validation is config.test is None:
        config = parted(config, *(_list(home / file) for file in LISTS.values()))
    if config.features is None:
        rows, what = decoded("cub", home, files, config.size, access), state(home, files)
    else:
        path = Path(config.features).expanduser()
        rows, what = _features(path, len(files)), file_digest(path, "sha256")
    order = np.argsort(labels, kind="stable")
    ends = np.searchsorted(labels[order], np.arange(len(names) + 1))
    groups = [name.rpartition("_")[2] for name in names]
    trained = set(divide(config, list(zip(names, groups, strict=True)))["train"])
    drawn = []
    for k, name in enumerate(names):
        own = rows[order[ends[k] : ends[k + 1]]]
        if config.features is not None:  # of all crops in training, of the first, the middle one, in testing
            own = own.reshape(-1, own.shape[-1]) if k in trained else own[:, 0]
            if not np.isfinite(own).all():
                raise DataError(
                    f"dataset.features={config.features} has numbers of {name} that are not finite"
                )
        drawn.append(Drawn(name, groups[k], own, attributes[k]))
    return build("cub", dataclasses.replace(config, features=None), drawn, {"images": what})


def _home(access: Access) -> Path:
    homes = [home / below for home in folders("cub", access) for below in ("CUB_200_2011", "")]
    for home in homes:
        if (home / TABLES[0]).is_file():
            return home
    place, where = (homes[0], "") if access.root else (Path("DIR/cub/CUB_200_2011"), ", for data.root=DIR")
    raise DataError(
        f"cub is not here: it must be fetched by hand, from {PAGE}, and unpacked to {place}{where}, with the "
        f"lists {', '.join(LISTS.values())} of {SPLIT} beside its {TABLES[0]}"
    )


def _tables(home: Path) -> tuple[list[str], np.ndarray, list[str]]:
    """Files of the images, their classes from 0 on, and the classes' names."""
    files, names, numbers = (_table(home / table) for table in TABLES)
    if files.keys() != numbers.keys():
        number = min(files.keys() ^ numbers.keys())
        raise DataError(f"{home}: image {number} is in only one of {TABLES[0]} and {TABLES[2]}")
    if sorted(names) != list(range(1, len(names) + 1)):
        raise DataError(f"{home / TABLES[1]} does not number its {len(names)} classes from 1 on")
    with damaged(home / TABLES[2]):
        labels = {number: int(label) for number, label in numbers.items()}
        if unknown := [label for label in labels.values() if label not in names]:
            raise ValueError(f"there is no class {unknown[0]}")
    refuse_outside(home / TABLES[0], list(files.values()))
    in_order = np.array([labels[number] - 1 for number in files])
    return list(files.values()), in_order, [names[number] for number in sorted(names)]


def _table(path: Path) -> dict[int, str]:
    """The second column by the number in the first, in the order of the lines."""
    with damaged(path):
        rows = [row.split() for row in path.read_text().splitlines() if row.strip()]
        found = {int(row[0]): row[1] for row in rows}
        if len(found) < len(rows):
            raise ValueError("a number is there twice")
    return found


def _attributes(path: Path, classes: int) -> np.ndarray:
    """Shares of each class's images that have an attribute, float32 `[classes, A]`."""
    with damaged(path):
        found = np.loadtxt(path, dtype=np.float32, ndmin=2) / 100
    if len(found) != classes:
        raise DataError(f"{path} describes {len(found)} classes instead of {classes}")
    if not np.isfinite(found).all():
        raise DataError(f"{path} has attributes that are not finite")
    return found


def _list(path: Path) -> tuple[str, ...]:
    if not path.is_file():
        raise DataError(f"{path} is not here; it is one of the lists of classes of {SPLIT}")
    return tuple(line.strip() for line in path.read_text().splitlines() if line.strip())


def _features(path: Path, images: int) -> np.ndarray:
    """float32 `[images, crops, D]`; each crop of an image is a vector of its class."""
    if not path.is_file():
        raise DataError(f"dataset.features={path} does not exist")
    with damaged(path):
        found = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(found, np.ndarray):
            raise ValueError("it holds several arrays")
    good = found.ndim in (2, 3) and found.size > 0
    if not good or found.dtype != np.float32 or len(found) != images:
        raise DataError(
            f"dataset.features={path} must be float32 [{images}, D] or [{images}, crops, D], not "
            f"{found.dtype} {list(found.shape)}"
        )
    return found.reshape(images, -1, found.shape[-1])
