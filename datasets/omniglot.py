"""Omniglot: 20 drawings of each of 1623 characters from 50 alphabets (Lake, Salakhutdinov and Tenenbaum,
Science 2015)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import numpy as np
from PIL import Image

from datasets import sources
from datasets.archives import ZipFiles
from datasets.build import official
from datasets.cache import cached
from datasets.config import EpisodesConfig
from datasets.download import obtain
from datasets.few_shot import Drawn, build
from datasets.files import damaged
from datasets.types import Access, Episodes, RemoteFile

SIDE = 105
"""Pixels of an official drawing, of 1 bit."""


def load(config: EpisodesConfig, access: Access, kind: str) -> Episodes:
    """All 1623 characters, by default in the split of Vinyals et al. (NeurIPS 2016)."""
    return _load("omniglot", sources.omniglot(config), config, access)


def load_small(config: EpisodesConfig, access: Access, kind: str) -> Episodes:
    """The 242 characters of the two small background sets, by default with no alphabet in two parts."""
    return _load("omniglot_small", sources.omniglot_small(config), config, access)


def _load(name: str, files: list[RemoteFile], config: EpisodesConfig, access: Access) -> Episodes:
    characters: dict[str, Drawn] = {}
    for file in files:
        kept = access.cache / name / "decoded" / f"{file.name}-{config.size}.npy"
        for one in _characters(obtain(name, file, access), config.size, kept):
            characters.setdefault(one.name, one)  # Greek and Latin are in both small sets, byte for byte
    return build(name, config, [characters[key] for key in sorted(characters)], official(files))


def _characters(path: Path, size: int, kept: Path) -> Iterator[Drawn]:
    """The characters of a zip of `<set>/<alphabet>/<character>/<drawing>.png`, decoded once, into `kept`."""
    files = ZipFiles(path)
    parts = [files.name(number).split("/") for number in range(len(files))]
    drawings = [n for n, part in enumerate(parts) if len(part) == 4 and part[3].endswith(".png")]
    decoded = cached(kept, (1, size, size), lambda: (_drawing(files, n, size) for n in drawings))
    images = np.load(decoded, allow_pickle=False)
    start = 0
    for (_, alphabet, character), same in groupby(drawings, lambda n: tuple(parts[n][:3])):
        end = start + len(list(same))
        yield Drawn(f"{alphabet}/{character}", alphabet, images[start:end])
        start = end


def _drawing(files: ZipFiles, number: int, size: int) -> np.ndarray:
    """uint8 `[1, 1, size, size]` with ink at 255.

    A picture of 1 bit is made grey before it is resized, for Pillow takes the nearest pixels of one.
    """
    data, label = files.read(number), files.label(number)
    with damaged(label), Image.open(io.BytesIO(data), formats=("PNG",)) as image:
        if image.size != (SIDE, SIDE):
            raise ValueError(f"it has {image.width}x{image.height} pixels instead of {SIDE}x{SIDE}")
        grey = image.convert("L").resize((size, size), Image.Resampling.BILINEAR)
        return (255 - np.asarray(grey))[None, None]
