"""MNIST and Fashion-MNIST: the IDX format."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import numpy as np

from datasets import sources
from datasets.blocks import ArrayBlock
from datasets.build import build, official
from datasets.config import HeldOutConfig
from datasets.download import obtain
from datasets.files import damaged
from datasets.parts import hold_out
from datasets.types import Access, DataError, Images, RemoteFile

DIGITS = tuple(str(number) for number in range(10))
CLOTHES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def mnist(config: HeldOutConfig, access: Access, kind: str) -> Images:
    """Handwritten digits, `[1, 28, 28]`, 60000 + 10000 (LeCun, Bottou, Bengio and Haffner, 1998)."""
    return _load("mnist", sources.mnist(config), DIGITS, config, access)


def fashion_mnist(config: HeldOutConfig, access: Access, kind: str) -> Images:
    """Pictures of clothes, `[1, 28, 28]`, 60000 + 10000 (Xiao, Rasul and Vollgraf, 2017)."""
    return _load("fashion_mnist", sources.fashion_mnist(config), CLOTHES, config, access)


def _load(
    name: str, files: list[RemoteFile], classes: tuple[str, ...], config: HeldOutConfig, access: Access
) -> Images:
    paths = [obtain(name, file, access) for file in files]
    train, test = (_block(paths[at], paths[at + 1], config) for at in (0, 2))
    trained, held = hold_out(len(train.labels), config.validation, name)
    parts = {
        "train": (train, trained),
        "validation": (train, held),
        "test": (test, np.arange(len(test.labels))),
    }
    return build(name, config, access, parts, classes, official(files))


def _block(images: Path, labels: Path, config: HeldOutConfig) -> ArrayBlock:
    pixels, numbers = read_idx(images, 3), read_idx(labels, 1)
    if len(pixels) != len(numbers):
        raise DataError(f"{images} has {len(pixels)} images but {labels} has {len(numbers)} labels")
    return ArrayBlock(pixels[:, None], numbers, config.size, config.levels)


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """The uint8 array of an IDX file, packed by gzip or not; raises `DataError` if it is damaged."""
    with damaged(path):
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        if data[:4] != bytes((0, 0, 8, dimensions)):
            raise ValueError(f"it is no IDX file of bytes with {dimensions} dimensions")
        head = 4 + 4 * dimensions
        shape = np.frombuffer(data[4:head], ">u4").astype(int).tolist()
        if len(data) - head != math.prod(shape):
            raise ValueError(f"it holds {len(data) - head} values instead of {math.prod(shape)}")
        return np.frombuffer(data, np.uint8, offset=head).reshape(shape)
