"""Small ImageNet of van den Oord et al. (2016): tarballs of PNG, without labels."""

from __future__ import annotations

import numpy as np

from datasets import sources
from datasets.archives import TarFiles
from datasets.blocks import PictureBlock
from datasets.build import build, official
from datasets.config import HeldOutConfig
from datasets.download import obtain
from datasets.parts import hold_out
from datasets.pictures import Recipe
from datasets.types import Access, Images, RemoteFile


def load32(config: HeldOutConfig, access: Access, kind: str) -> Images:
    """Natural images, `[3, 32, 32]`, 1281149 + 49999; the test part is the papers' validation part."""
    return _load("imagenet32", sources.imagenet32(config), config, access)


def load64(config: HeldOutConfig, access: Access, kind: str) -> Images:
    """Natural images, `[3, 64, 64]`, 1281149 + 49999; the test part is the papers' validation part."""
    return _load("imagenet64", sources.imagenet64(config), config, access)


def _load(name: str, files: list[RemoteFile], config: HeldOutConfig, access: Access) -> Images:
    recipe = Recipe(short=config.size, square=config.size is not None, levels=config.levels)
    blocks = []
    for file in files:
        index = access.cache / name / f"{official([file])[file.name].partition(':')[2][:32]}-index.npz"
        pictures = TarFiles(obtain(name, file, access), index)
        blocks.append(PictureBlock(pictures, np.arange(len(pictures)), np.zeros(len(pictures)), recipe))
    train, test = blocks
    trained, held = hold_out(len(train.labels), config.validation, name)
    parts = {
        "train": (train, trained),
        "validation": (train, held),
        "test": (test, np.arange(len(test.labels))),
    }
    return build(name, config, access, parts, ("image",), official(files))
