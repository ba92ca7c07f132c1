"""The embedded file of glyphs: bitmaps of letters, their classes, and which script is for what."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

PATH = Path(__file__).with_name("glyphs.npz")

SIDE = 28
"""Pixels along a bitmap."""

SPLIT: dict[str, tuple[str, ...]] = {
    "train": ("Latin", "Greek", "Cyrillic", "Canadian Aboriginal"),
    "validation": ("Arabic", "Tifinagh"),
    "test": (
        "Georgian",
        "Armenian",
        "Hebrew",
        "Lao",
        "Old Italic",
        "Nko",
        "Ogham",
        "Coptic",
        "Lisu",
    ),
}
"""The scripts of each part, so that no class of one part is of a script of another."""

SCRIPTS = tuple(script for scripts in SPLIT.values() for script in scripts)
"""All scripts, in the order of the classes."""


@dataclass(frozen=True)
class Glyphs:
    """Every letter in every face that has it and draws it in its own way.

    Attributes:
        bitmaps: uint8 `[N, 28, 28]`, ink 255 on 0, ordered by class and then by face.
        labels: class of each bitmap, int64 `[N]` in `[0, K)`.
        faces: face of each bitmap, int64 `[N]`, a place in `face_names`.
        face_names: names of the faces, such as `"DejaVuSans-Bold"`.
        names: names of the `K` classes, such as `"Latin/a"`.
        scripts: script of each class, one of `SCRIPTS`.
    """

    bitmaps: np.ndarray
    labels: np.ndarray
    faces: np.ndarray
    face_names: tuple[str, ...]
    names: tuple[str, ...]
    scripts: tuple[str, ...]

    def classes(self, part: str) -> np.ndarray:
        """Numbers int64 of the classes of a part, which is a key of `SPLIT`."""
        return np.flatnonzero([script in SPLIT[part] for script in self.scripts])


def pack(levels: np.ndarray) -> np.ndarray:
    """Two neighbours along the last axis in one byte: uint8 `[..., 2 n]` below 16 to uint8 `[..., n]`."""
    return levels[..., ::2] << 4 | levels[..., 1::2]


def unpack(packed: np.ndarray) -> np.ndarray:
    """The levels uint8 `[..., 2 n]` below 16 that `pack` put into uint8 `[..., n]`."""
    pairs = np.stack([packed >> 4, packed & 15], axis=-1)
    return pairs.reshape(*packed.shape[:-1], 2 * packed.shape[-1])


def read(path: Path = PATH) -> Glyphs:
    """The glyphs in the file at `path`, which `datasets.glyphs.make` writes."""
    with np.load(path, allow_pickle=False) as file:
        scripts = file["script_names"][file["scripts"]].tolist()
        letters = [chr(code_point) for code_point in file["code_points"]]
        return Glyphs(
            bitmaps=unpack(file["bitmaps"]) * np.uint8(17),
            labels=file["labels"].astype(np.int64),
            faces=file["faces"].astype(np.int64),
            face_names=tuple(file["face_names"].tolist()),
            names=tuple(map("/".join, zip(scripts, letters, strict=True))),
            scripts=tuple(scripts),
        )
