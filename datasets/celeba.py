"""CelebA: aligned faces, cut and resized as in Real NVP (Dinh et al., 2017, section 4.1)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from datasets import sources
from datasets.archives import ZipFiles
from datasets.blocks import PictureBlock
from datasets.build import build, official
from datasets.config import ImageConfig
from datasets.download import obtain
from datasets.files import damaged
from datasets.pictures import Recipe
from datasets.types import Access, DataError, Images

BOX = (15, 40, 163, 188)
"""Columns 15 to 163 and rows 40 to 188: the 148x148 pixels around the face."""

PARTS = ("train", "validation", "test")
"""What 0, 1 and 2 mean in the official partition."""


def load(config: ImageConfig, access: Access, kind: str) -> Images:
    """Faces without labels, `[3, 64, 64]`, 162770 + 19867 + 19962 (Liu, Luo, Wang and Tang, 2015)."""
    files = sources.celeba(config)
    archive, partition = (obtain("celeba", file, access) for file in files)
    pictures = ZipFiles(archive)
    numbers = {Path(pictures.name(number)).name: number for number in range(len(pictures))}
    recipe = Recipe(box=BOX, short=config.size, square=True, levels=config.levels)
    parts = {}
    for part, names in zip(PARTS, _partition(partition), strict=True):
        if lacking := [name for name in names if name not in numbers]:
            raise DataError(f"{archive} lacks {lacking[0]}, which {partition} names")
        chosen = np.array([numbers[name] for name in names], np.int64)
        parts[part] = (PictureBlock(pictures, chosen, np.zeros(len(chosen)), recipe), np.arange(len(chosen)))
    return build("celeba", config, access, parts, ("face",), official(files))


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
