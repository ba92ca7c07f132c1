"""CelebA: aligned faces, cut and resized as in Real NVP (Dinh et al., 2017, section 4.1)."""

from __future__ import annotations

from collections.abc import Container, Sequence
from pathlib import Path

import numpy as np

from datasets import sources
from datasets.archives import ZipFiles
from datasets.blocks import PictureBlock
from datasets.build import build, official
from datasets.config import ImageConfig
from datasets.download import obtain
from datasets.files import damaged, find
from datasets.pictures import Recipe
from datasets.types import Access, DataError, Factor, Images

BOX = (15, 40, 163, 188)
"""Columns 15 to 163 and rows 40 to 188: the 148x148 pixels around the face."""

ATTRIBUTES = 40

HEAD = 2
"""Lines before the first picture's in the table of attributes."""

PARTS = ("train", "validation", "test")
"""What 0, 1 and 2 mean in the official partition."""


def load(config: ImageConfig, access: Access, kind: str) -> Images:
    """Faces without labels, `[3, 64, 64]`, 162770 + 19867 + 19962 (Liu, Luo, Wang and Tang, 2015).

    Their attributes are factors where `list_attr_celeba.txt` lies beside the partition.
    """
    files = [f for f in sources.celeba(config) if not f.optional or find("celeba", f, access)]
    archive, partition, *table = (obtain("celeba", file, access) for file in files)
    pictures = ZipFiles(archive)
    numbers = {Path(pictures.name(number)).name: number for number in range(len(pictures))}
    recipe = Recipe(box=BOX, short=config.size, square=True, levels=config.levels)
    named = _partition(partition)
    names = [name for part in named for name in part]
    if lacking := [name for name in names if name not in numbers]:
        raise DataError(f"{archive} lacks {lacking[0]}, which {partition} names")
    chosen = np.array([numbers[name] for name in names], np.int64)
    block = PictureBlock(pictures, chosen, np.zeros(len(chosen)), recipe)
    ends = np.cumsum([len(part) for part in named])
    places = np.split(np.arange(len(names)), ends[:-1])
    parts = {part: (block, own) for part, own in zip(PARTS, places, strict=True)}
    factors = _factors(table[0], names, numbers.keys()) if table else {}
    return build("celeba", config, access, parts, ("face",), official(files), factors)


def _partition(path: Path) -> list[list[str]]:
    """File names of the three parts."""
    parts: list[list[str]] = [[], [], []]
    with damaged(path):
        for line in path.read_text().splitlines():
            name, part = line.split()
            parts[int(part)].append(name)
        if not all(parts):
            raise ValueError("a part has no pictures")
    return parts


def _factors(path: Path, names: Sequence[str], there: Container[str]) -> dict[Factor, np.ndarray]:
    """The attributes of the pictures `names`, 0 or 1 each; `there` are all pictures that can be read.

    Raises `DataError`, which names the file and line, for a table that is not as the official one.
    """
    attributes, rows = read_attributes(path)
    for number, name in enumerate(rows, HEAD + 1):
        if name not in there:
            raise DataError(f"{path}, line {number}: there is no picture {name}")
    if lacking := [name for name in names if name not in rows]:
        raise DataError(f"{path} has no line for the picture {lacking[0]}, up to line {HEAD + len(rows)}")
    columns = np.stack([rows[name] for name in names], 1)
    factors = (Factor(attribute, ("no", "yes")) for attribute in attributes)
    return dict(zip(factors, columns, strict=True))


def read_attributes(path: Path) -> tuple[list[str], dict[str, np.ndarray]]:
    """Names of the attributes, and by picture, in the file's order, bool `[ATTRIBUTES]`.

    The file has the number of pictures, the attributes, and a line for each picture with its name and 1 or -1
    for each attribute. Raises `DataError`, which names the file and line, for any other.
    """
    with damaged(path):
        lines = path.read_text("ascii").splitlines()
    told, attributes = lines[0].strip() if lines else "", lines[1].split() if len(lines) > 1 else []
    if not told.isdecimal():
        raise DataError(f"{path}, line 1: it is {told!r}, not the number of pictures")
    if len(set(attributes)) != ATTRIBUTES or len(attributes) != ATTRIBUTES:
        raise DataError(
            f"{path}, line 2: it has {len(set(attributes))} different attributes, not {ATTRIBUTES}"
        )
    rows: dict[str, np.ndarray] = {}
    for number, line in enumerate(lines[HEAD:], HEAD + 1):
        name, *values = line.split() or [""]
        if len(values) != ATTRIBUTES:
            raise DataError(f"{path}, line {number}: it has {len(values)} values, not {ATTRIBUTES}")
        if wrong := set(values) - {"1", "-1"}:
            raise DataError(f"{path}, line {number}: the value {min(wrong)} is neither 1 nor -1")
        if name in rows:
            raise DataError(f"{path}, line {number}: {name} has a line before")
        rows[name] = np.array(values) == "1"
    if len(rows) != int(told):
        raise DataError(f"{path}, line 1: it promises {told} pictures, but {len(rows)} lines follow")
    return attributes, rows
