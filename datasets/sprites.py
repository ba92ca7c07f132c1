"""Figures of known rotation, width and light on a dark ground: drawn here, a function of their number."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from datasets.config import SpritesConfig
from datasets.drawn import Drawing, build_drawn
from datasets.parts import splitmix64
from datasets.types import Access, Factor, Images

SIZES = {"train": 10_000, "validation": 1_000, "test": 1_000}
VERSION = "1"
"""Changes with what is drawn."""

RANGES = {"rotation": (-np.pi / 4, np.pi / 4), "width": (0.6, 1.4), "light": (-1.0, 1.0)}
"""Of the factors, all uniform: radians, anticlockwise; the stretch across the figure's axis; how much
brighter it is on the right."""

TURNED = ("rotation", "light")
"""Those that a mirror image has the other way round."""

OVER = 3
"""Points of each side of a pixel at which a figure is looked up."""

JITTER = 0.07
"""How far a figure lies from the centre at the most, of half the side."""

CHUNK = 250

Inside = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Whether points belong to a figure, by their places across and along its axis, which points up."""


def bar(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """A thick line."""
    return (np.abs(u) < 0.17) & (np.abs(v) < 0.62)


def cross(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """A cross with a long foot."""
    return ((np.abs(u) < 0.1) & (np.abs(v) < 0.62)) | ((np.abs(u) < 0.42) & (np.abs(v - 0.25) < 0.1))


def triangle(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """A tall triangle."""
    return (v > -0.5) & (np.abs(u) < 0.42 * (0.6 - v) / 1.1)


def moon(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """A crescent, open to the right."""
    return (u**2 + v**2 < 0.36) & ((u - 0.25) ** 2 + v**2 > 0.23)


FIGURES: dict[str, Inside] = {"bar": bar, "cross": cross, "triangle": triangle, "moon": moon}


def load(config: SpritesConfig, access: Access, kind: str) -> Images:
    """Four classes, `[1, size, size]`, with the factors `rotation`, `width` and `light`."""
    labels, drawn = known(sum(SIZES.values()))
    factors = {Factor(name, falsified_by=("flip",) if name in TURNED else ()): drawn[name] for name in RANGES}
    drawing = Drawing(VERSION, SIZES, labels, tuple(FIGURES), factors)
    return build_drawn("sprites", config, access, drawing, lambda: _all(labels, drawn, config.size))


def known(count: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Classes int64 `[count]`, and the factors and places of the first so many figures."""
    uniform = [
        (splitmix64(seed * 0x5851F42D, count) >> np.uint64(11)).astype(np.float64) / 2**53
        for seed in range(1, 7)
    ]
    labels = (uniform[0] * len(FIGURES)).astype(np.int64)
    drawn = {
        name: low + (high - low) * u
        for (name, (low, high)), u in zip(RANGES.items(), uniform[1:4], strict=True)
    }
    return labels, drawn | {"x": JITTER * (2 * uniform[4] - 1), "y": JITTER * (2 * uniform[5] - 1)}


def _all(labels: np.ndarray, drawn: dict[str, np.ndarray], size: int) -> Iterator[np.ndarray]:
    for start in range(0, len(labels), CHUNK):
        piece = slice(start, start + CHUNK)
        yield draw(labels[piece], {name: values[piece] for name, values in drawn.items()}, size)


def draw(labels: np.ndarray, drawn: dict[str, np.ndarray], size: int) -> np.ndarray:
    """uint8 `[n, 1, size, size]` of figures with these classes, factors and places."""
    points = (np.arange(size * OVER) + 0.5) / (size * OVER) * 2 - 1
    column = {name: values[:, None, None] for name, values in drawn.items()}
    x, y = points[None, None, :] - column["x"], -points[None, :, None] - column["y"]
    turn = column["rotation"]
    u = (np.cos(turn) * x + np.sin(turn) * y) / column["width"]
    v = np.cos(turn) * y - np.sin(turn) * x
    inside = np.zeros(u.shape, bool)
    for k, figure in enumerate(FIGURES.values()):
        own = labels == k
        inside[own] = figure(u[own], v[own])
    shade = np.clip(0.55 + 1.0 * column["light"] * x, 0.15, 1.0)
    fine = (inside * shade).reshape(len(labels), size, OVER, size, OVER)
    return np.rint(255 * fine.mean((2, 4))).astype(np.uint8)[:, None]
