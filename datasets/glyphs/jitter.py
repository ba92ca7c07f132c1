"""Twenty drawings of every glyph: its faces moved, bent, and drawn with thicker or thinner strokes.

Only integers and halves are computed with, so that the drawings are the same bytes on every machine.
"""

from __future__ import annotations

import numpy as np

from datasets.glyphs.read import SIDE, Glyphs
from datasets.parts import splitmix64

DRAWINGS = 20
"""Drawings of each class, as many as a character of Omniglot has (Lake et al., Science 2015)."""

SEED = 1703_05175
"""Where the stream of the jitter starts; nothing else draws from it."""

PIXEL = 1 << 22
"""Places are counted in this part of a pixel: 2^8 for a control point times 2^14 for its weight."""

SPACING, KNOTS = 8, 6
"""Pixels between two control points of the elastic jitter, and control points along a side."""

LARGER, SMALLER = PIXEL * 10 // 100, PIXEL * 25 // 100
"""By how much the step between two pixels shrinks or grows at most, along each axis."""

TURN = SHEAR = PIXEL * 25 // 100
"""Largest tangent of a rotation, and largest shear."""

SHIFT, BEND = PIXEL * 2, 256 * 2
"""Largest shift, and largest move of a control point in 1/256 of a pixel."""

THINNER, THICKER = 8, 16
"""Most sixteenths of the way to an erosion, and to a dilation, by a cross of 3x3 pixels."""

CROSS = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))
"""A pixel and its four neighbours, as moves of row and column."""

BLOCK = 256
"""Drawings that are made at a time, so that they stay in the processor's cache."""


def drawings(glyphs: Glyphs) -> np.ndarray:
    """Drawings uint8 `[K, 20, 28, 28]` of all classes, each a function of its class and number alone.

    Drawing 0 is the bitmap of the class's first face. Drawing `n` is a jittered bitmap of face `n` modulo the
    number of faces, so that no two of them differ only by the weight or the slope of a face.
    """
    sources, numbers = _sources(glyphs.labels), _numbers(len(glyphs.names) * DRAWINGS)
    made = np.empty((len(sources), SIDE, SIDE), np.uint8)
    for start in range(0, len(made), BLOCK):
        part = slice(start, start + BLOCK)
        moved = sample(glyphs.bitmaps[sources[part]], places(numbers[part, :-1]))
        made[part] = thicken(moved, between(numbers[part, -1], -THINNER, THICKER))
    made[::DRAWINGS] = glyphs.bitmaps[sources[::DRAWINGS]]
    return made.reshape(-1, DRAWINGS, SIDE, SIDE)


def _sources(labels: np.ndarray) -> np.ndarray:
    """Number int64 `[K * 20]` of the bitmap that each drawing is made of."""
    first = np.flatnonzero(np.diff(labels, prepend=-1))
    faces = np.diff(first, append=len(labels))
    return (first[:, None] + np.arange(DRAWINGS) % faces[:, None]).ravel()


def _numbers(count: int) -> np.ndarray:
    """Random numbers int64 `[count, 79]` in `[0, 2^24)`: all that a drawing's jitter depends on."""
    width = 6 + 2 * KNOTS**2 + 1
    return (splitmix64(SEED, count * width) >> np.uint64(40)).astype(np.int64).reshape(count, width)


def between(numbers: np.ndarray, low: int, high: int) -> np.ndarray:
    """Numbers in `[0, 2^24)` spread evenly over the integers from `low` to `high`."""
    return low + (numbers * (high - low + 1) >> 24)


def places(numbers: np.ndarray) -> np.ndarray:
    """Row and column that each pixel is taken from, int32 `[B, 2, 784]` in parts of a pixel, of `[B, 78]`.

    Sums of whole and half numbers far below 2^53: float64 holds them exactly, in whatever order they are
    added.
    """
    bends = between(numbers[:, 6:].reshape(-1, 2, KNOTS**2), -BEND, BEND)
    weights = np.concatenate([_affine(numbers[:, :6]), bends], axis=2).astype(np.float64)
    return (weights @ _basis() + PIXEL * (SIDE - 1) / 2).astype(np.int32)


def _affine(numbers: np.ndarray) -> np.ndarray:
    """Maps int64 `[B, 2, 3]` from row, column and 1, about the centre, to row and column; of `[B, 6]`."""
    scales = PIXEL + between(numbers[:, :2], -LARGER, SMALLER)
    turn, shear = between(numbers[:, 2], -TURN, TURN), between(numbers[:, 3], -SHEAR, SHEAR)
    shifts = between(numbers[:, 4:], -SHIFT, SHIFT)
    rows = np.array([[scales[:, 0], turn, shifts[:, 0]], [shear - turn, scales[:, 1], shifts[:, 1]]])
    return np.moveaxis(rows, 2, 0)


def _basis() -> np.ndarray:
    """What is weighted at each pixel: row, column, 1 and the control points' weights, float64 `[39, 784]`."""
    row, column = np.indices((SIDE, SIDE)) - (SIDE - 1) / 2
    splines = np.kron(_splines(), _splines())
    return np.concatenate([[row.ravel(), column.ravel(), np.ones(SIDE**2)], splines])


def _splines() -> np.ndarray:
    """Quadratic B-splines at the pixels of a side, int64 `[6, 28]`, which sum to 128 at each pixel."""
    pixels = np.arange(SIDE)
    cell, k = np.divmod(pixels, SPACING)
    weights = np.zeros((KNOTS, SIDE), np.int64)
    for knot, weight in enumerate(((8 - k) ** 2, 64 + 16 * k - 2 * k**2, k**2)):
        weights[cell + knot, pixels] = weight
    return weights


def sample(images: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Images uint8 `[B, 28, 28]` read between their pixels at `places`, to 1/64 of a pixel, 0 outside."""
    wide = SIDE + 3
    padded = np.pad(images, ((0, 0), (1, 2), (1, 2))).ravel().astype(np.int32)
    near = np.clip((places >> 16) + 64, 0, (SIDE + 1) * 64)
    whole, part = near >> 6, near & 63
    corner = whole[:, 0] * wide + whole[:, 1] + np.arange(len(images), dtype=np.int32)[:, None] * wide**2
    upper, lower = (
        padded[at] * (64 - part[:, 1]) + padded[at + 1] * part[:, 1] for at in (corner, corner + wide)
    )
    mixed = upper * (64 - part[:, 0]) + lower * part[:, 0]
    return (mixed + 2048 >> 12).astype(np.uint8).reshape(images.shape)


def thicken(images: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Images uint8 `[B, 28, 28]` `steps` sixteenths on the way to a dilation, or below 0 to an erosion."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    around = [padded[:, 1 + y : SIDE + 1 + y, 1 + x : SIDE + 1 + x] for y, x in CROSS]
    thick: np.ndarray = np.maximum.reduce(around)
    thin: np.ndarray = np.minimum.reduce(around)
    target = np.where(steps[:, None, None] > 0, thick, thin)
    change = (target.astype(np.int16) - images) * np.abs(steps).astype(np.int16)[:, None, None]
    return (images + (change >> 4)).astype(np.uint8)
