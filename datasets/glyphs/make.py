"""Writes the embedded file of glyphs: `python -m datasets.glyphs.make`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from datasets.glyphs.homoglyphs import alike, first_of
from datasets.glyphs.read import PATH, SCRIPTS, pack, read
from datasets.glyphs.render import FACES, centred, code_points, letters, render, stretched


class Drawn(NamedTuple):
    """Letters in all faces: levels uint8 `[N, 28, 28]` and `[N, 22, 22]` below 16, int64 `[N]` twice."""

    centred: np.ndarray
    stretched: np.ndarray
    labels: np.ndarray
    faces: np.ndarray

    def at(self, chosen: np.ndarray) -> Drawn:
        """The chosen bitmaps, by number or by mask."""
        return Drawn(*(column[chosen] for column in self))


def draw(texts: list[str]) -> Drawn:
    """Every letter in every face that has it, without bitmaps that another face of the letter repeats."""
    pairs = [
        (label, face)
        for label, letter in enumerate(texts)
        for face, name in enumerate(FACES)
        if ord(letter) in code_points(name)
    ]
    crops = [render(texts[label], FACES[face]) for label, face in pairs]
    labels, faces = np.array(pairs).T
    drawn = Drawn(np.array([*map(centred, crops)]), np.array([*map(stretched, crops)]), labels, faces)
    seen = np.column_stack([labels, drawn.centred.reshape(len(labels), -1)])
    return drawn.at(np.sort(np.unique(seen, axis=0, return_index=True)[1]))


def without_homoglyphs(drawn: Drawn) -> np.ndarray:
    """Numbers int64 of the classes that remain, the first of all that are alike by any chain of pairs."""
    flat = (levels.reshape(len(levels), -1) for levels in (drawn.centred, drawn.stretched))
    related = np.logical_or(*(alike(levels, drawn.labels) for levels in flat))
    return np.unique(first_of(related))


def make(path: Path = PATH, known: list[tuple[str, str]] | None = None) -> None:
    """Renders `known` pairs of script and letter, all by default, and writes the classes to `path`."""
    known = letters() if known is None else known
    drawn = draw([letter for _, letter in known])
    kept = without_homoglyphs(drawn)
    drawn = drawn.at(np.isin(drawn.labels, kept))
    np.savez_compressed(
        path,
        bitmaps=pack(drawn.centred),
        labels=np.searchsorted(kept, drawn.labels).astype(np.uint16),
        faces=drawn.faces.astype(np.uint8),
        face_names=np.array(FACES),
        code_points=np.array([ord(known[number][1]) for number in kept], np.int32),
        scripts=np.array([SCRIPTS.index(known[number][0]) for number in kept], np.uint8),
        script_names=np.array(SCRIPTS),
    )


def table(path: Path = PATH) -> str:
    """Letters in the faces, classes that remain and their bitmaps, a line per script."""
    glyphs = read(path)
    counts = [
        Counter(script for script, _ in letters()),
        Counter(glyphs.scripts),
        Counter(glyphs.scripts[label] for label in glyphs.labels),
    ]
    rows = [(script, *(count[script] for count in counts)) for script in SCRIPTS]
    rows += [("all", *(sum(count.values()) for count in counts))]
    lines = [f"{name:<20}{found:>8}{kept:>9}{bitmaps:>9}" for name, found, kept, bitmaps in rows]
    return "\n".join([f"{'script':<20}{'letters':>8}{'classes':>9}{'bitmaps':>9}", *lines])


if __name__ == "__main__":
    make()
    print(table())
    print(f"{PATH.stat().st_size} bytes")
