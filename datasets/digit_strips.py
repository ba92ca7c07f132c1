"""Digits between parts of two others on ground of any grey, as the house numbers of SVHN are cut.

Whole numbers alone are added, multiplied and divided, so that the images have the same bytes everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from datasets import digits, idx
from datasets.config import DigitsConfig, HeldOutConfig, StripsConfig
from datasets.drawn import Drawing, build_drawn
from datasets.parts import keyed
from datasets.types import Access, Factor, Images

SIZES = {"train": 20_000, "validation": 2_000, "test": 2_000}
VERSION = "1"
"""Changes with what is drawn."""

PLACES = ("left", "middle", "right")

UNIT = 32
"""Of the sides, steps and shifts below: parts of an image's side."""

PITCH = 18
"""From one digit's centre to the next one's."""

SHIFT = 2
"""How far all three lie off the centre at the most, up or down and to either side."""

GROUND = (8, 136)
"""Grey level of the ground at light 0 and 1."""

REACH = 119
"""Grey levels by which a stroke is brighter than the ground at contrast 1."""

CONTRAST = (0.3, 1.0)
"""Never negative nor near 0, where the digits would not be seen."""

CHUNK = 500


@dataclass(frozen=True)
class Source:
    """Where digits come from: how they are read, their grey levels, and the side that one is drawn with."""

    read: Callable[[Access], Images]
    side: int


def _settings(levels: int) -> dict[str, Any]:
    return {
        "batch_size": 1,
        "size": None,
        "classes": None,
        "in_memory": True,
        "limit": None,
        "flip": False,
        "crop": 0,
        "levels": levels,
    }


SOURCES = {
    "digits": Source(lambda access: digits.load(DigitsConfig(**_settings(17)), access, "images"), 22),
    "mnist": Source(
        lambda access: idx.mnist(HeldOutConfig(**_settings(256), validation=5000), access, "images"), 28
    ),
    "fashion_mnist": Source(
        lambda access: idx.fashion_mnist(HeldOutConfig(**_settings(256), validation=5000), access, "images"),
        18,
    ),
}
"""Their validation parts are those that they have by themselves. Digits of MNIST have a margin."""


def load(config: StripsConfig, access: Access, kind: str) -> Images:
    """As many classes as the source has, `[1, size, size]`, with the factors `light`, `contrast`, `left` and
    `right`.

    Each part is made of the source's own part. Raises `DataError` if the source's files are lacking or wrong.
    """
    source = SOURCES[config.source].read(access)
    strokes, labels = pool(source)
    drawn = known({part: len(getattr(source, part)) for part in SIZES})
    version = f"{VERSION}-{config.source}-{source.checksum[:16]}"
    drawing = Drawing(
        version, SIZES, labels[drawn["middle"]], source.classes, factors(drawn, labels, source.classes)
    )
    side = SOURCES[config.source].side
    return build_drawn(
        "digit_strips", config, access, drawing, lambda: _all(strokes, drawn, config.size, side)
    )


def pool(source: Images) -> tuple[np.ndarray, np.ndarray]:
    """All images, uint8 `[N, H, W]` up to 255, and classes int64 `[N]` of a data set, part after part."""
    batches = [part.batch(torch.arange(len(part))) for part in (source.train, source.validation, source.test)]
    images = np.concatenate([batch.images[:, 0].numpy() for batch in batches]).astype(np.int64)
    highest = source.levels - 1
    strokes = (images * 255 + highest // 2) // highest
    return strokes.astype(np.uint8), np.concatenate([batch.labels.numpy() for batch in batches])


def known(counts: Mapping[str, int]) -> dict[str, np.ndarray]:
    """What is drawn, int64 `[sum(SIZES)]` each: numbers in the pool of the three digits; light and contrast
    in 65536 steps; shifts from 0 to 2 `SHIFT`. `counts` are the sizes of the pool's parts."""
    total = sum(SIZES.values())
    starts = np.cumsum([0, *counts.values()])[:-1]
    start, count = (
        np.repeat(np.array(values, np.int64), list(SIZES.values()))
        for values in (starts, list(counts.values()))
    )
    drawn = {place: start + _below(place, count) for place in PLACES}
    steps = {"light": 1 << 16, "contrast": 1 << 16, "x": 2 * SHIFT + 1, "y": 2 * SHIFT + 1}
    for name, values in steps.items():
        drawn[name] = _below(name, np.full(total, values))
    return drawn


def _below(name: str, limits: np.ndarray) -> np.ndarray:
    """Numbers int64 from 0 to below `limits` (`[N]`, at most 2^31), all as likely but for one in 2^32."""
    draws = (keyed(f"digit_strips/{name}", len(limits)) >> np.uint64(32)).astype(np.int64)
    return (draws * limits) >> 32


def factors(
    drawn: Mapping[str, np.ndarray], labels: np.ndarray, classes: tuple[str, ...]
) -> dict[Factor, np.ndarray]:
    """Light in [0, 1] and contrast in `CONTRAST`, both uniform, and the neighbours' classes."""
    low, high = CONTRAST
    away = ("flip", "crop")
    return {
        Factor("light"): (drawn["light"] + 0.5) / (1 << 16),
        Factor("contrast"): low + (high - low) * (drawn["contrast"] + 0.5) / (1 << 16),
        **{Factor(place, classes, away): labels[drawn[place]] for place in ("left", "right")},
    }


def _all(strokes: np.ndarray, drawn: Mapping[str, np.ndarray], size: int, side: int) -> Iterator[np.ndarray]:
    for start in range(0, len(drawn["middle"]), CHUNK):
        yield draw(strokes, {k: v[start : start + CHUNK] for k, v in drawn.items()}, size, side)


def draw(strokes: np.ndarray, drawn: Mapping[str, np.ndarray], size: int, side: int) -> np.ndarray:
    """uint8 `[n, 1, size, size]` of digits of this `side` (of `UNIT`), with what is drawn of each."""
    cover = _window(_row(strokes, drawn, size, side), drawn, size)
    light, contrast = (drawn[name][:, None, None] for name in ("light", "contrast"))
    # Grey levels in steps of 1 / 65536, and of 1 / 10 of that for the ends of the contrast.
    low, high = (round(10 * end) for end in CONTRAST)
    ground = 10 * ((GROUND[0] << 16) + (GROUND[1] - GROUND[0]) * light)
    stroke = REACH * ((low << 16) + (high - low) * contrast)
    whole = 10 << 16
    grey = (255 * ground + stroke * cover + 255 * whole // 2) // (255 * whole)
    return grey.astype(np.uint8)[:, None]


def _row(strokes: np.ndarray, drawn: Mapping[str, np.ndarray], size: int, side: int) -> np.ndarray:
    """How much the strokes of three digits cover, int64 `[n, H, H]` up to 255, of a square that is larger
    than the image by the shift on all sides."""
    extent, pitch = (max(1, size * part // UNIT) for part in (side, PITCH))
    whole = size + 2 * _shift(size)
    top = (whole - extent) // 2
    row = np.zeros((len(drawn["middle"]), whole, whole), np.int64)
    for place, step in zip(PLACES, (-pitch, 0, pitch), strict=True):
        glyphs = enlarge(strokes[drawn[place]], extent)
        start, stop = max(0, top + step), min(whole, top + step + extent)
        seen = row[:, top : top + extent, start:stop]
        np.maximum(seen, glyphs[:, :, start - top - step : stop - top - step], out=seen)
    return row


def _window(row: np.ndarray, drawn: Mapping[str, np.ndarray], size: int) -> np.ndarray:
    """The image `[n, size, size]` of each row, shifted."""
    shift = _shift(size)
    down, right = (drawn[name] * shift // SHIFT for name in ("y", "x"))
    places = np.arange(size)
    return row[
        np.arange(len(row))[:, None, None],
        (down[:, None] + places)[:, :, None],
        (right[:, None] + places)[:, None, :],
    ]


def _shift(size: int) -> int:
    return size * SHIFT // UNIT


def enlarge(images: np.ndarray, extent: int) -> np.ndarray:
    """int64 `[N, extent, extent]` of uint8 `[N, H, H]`: bilinear, antialiased where it makes them smaller."""
    weights = _weights(images.shape[-1], extent)
    rows = np.einsum("eh,nhw->new", weights, images.astype(np.int64))
    return np.minimum(255, (np.einsum("new,fw->nef", rows, weights) + (1 << 31)) >> 32)


def _weights(before: int, after: int) -> np.ndarray:
    """int64 `[after, before]`: how much each new pixel takes of each old one, of 65536."""
    centres = (2 * np.arange(after)[:, None] + 1) * before - (2 * np.arange(before)[None] + 1) * after
    near = np.maximum(0, 2 * max(before, after) - np.abs(centres))
    total = near.sum(1, keepdims=True)
    return ((near << 16) + total // 2) // total
