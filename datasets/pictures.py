"""From the bytes of a picture to an array: colour, crop, size and grey levels."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from datasets.files import damaged
from datasets.types import DataError

MOST_PIXELS = 100_000_000
"""Pixels that one picture may have; a decompression bomb has more."""

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
"""What is read, the likeliest first: Pillow also knows formats that start other programs."""

SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".pbm")
)
"""File endings that are taken for pictures."""


@dataclass(frozen=True)
class Recipe:
    """How a picture becomes an array.

    Attributes:
        channels: 1 (grey) or 3 (colour).
        box: `(left, top, right, bottom)` that is cut out first, in pixels.
        short: length of the shorter side after an antialiased bilinear resize; None keeps it.
        square: whether the centre square is cut out last.
        levels: grey levels that remain.
        upright: whether a camera's orientation tag is obeyed.
    """

    channels: int = 3
    box: tuple[int, int, int, int] | None = None
    short: int | None = None
    square: bool = False
    levels: int = 256
    upright: bool = False


def decode(data: bytes, label: str, recipe: Recipe) -> np.ndarray:
    """A picture's pixels, uint8 `[C, H, W]`; raises `DataError` naming `label` if it cannot be read."""
    with damaged(label), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of odd metadata, which no pixel depends on
        image = _opened(data, label)
        if image.width * image.height > MOST_PIXELS:
            raise DataError(f"{label} has {image.width}x{image.height} pixels, more than {MOST_PIXELS}")
        image.load()
        image = _shaped(_coloured(image, recipe), recipe)
        pixels = np.asarray(image)
    pixels = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    return np.ascontiguousarray(quantise(pixels, 256, recipe.levels))


def _opened(data: bytes, label: str) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError:
        raise DataError(f"{label} has more than {MOST_PIXELS} pixels") from None
    except UnidentifiedImageError:
        raise ValueError(f"none of {', '.join(FORMATS)}") from None


def quantise(pixels: np.ndarray, native: int, levels: int) -> np.ndarray:
    """Maps uint8 values in `[0, native)` to `floor(value * levels / native)`, in `[0, levels)`."""
    if levels == native:
        return pixels
    table = np.arange(256, dtype=np.int64) * levels // native
    return np.asarray(table.astype(np.uint8)[pixels])


def _coloured(image: Image.Image, recipe: Recipe) -> Image.Image:
    if recipe.upright:
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):
        image = _eight_bits(image)
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert("L" if recipe.channels == 1 else "RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """The upper byte of 16 bit grey values; Pillow's own conversion clips them instead."""
    values = np.asarray(image).astype(np.int64)
    return Image.fromarray((np.clip(values, 0, 65535) >> 8).astype(np.uint8))


def _shaped(image: Image.Image, recipe: Recipe) -> Image.Image:
    if recipe.box is not None:
        if image.width < recipe.box[2] or image.height < recipe.box[3]:
            raise ValueError(f"{image.width}x{image.height} pixels are too few to cut out {recipe.box}")
        image = image.crop(recipe.box)
    if recipe.short is not None:
        image = _shortened(image, recipe.short)
    return _centre(image) if recipe.square else image


def _shortened(image: Image.Image, short: int) -> Image.Image:
    width, height = image.size
    if min(width, height) == short:
        return image
    long = int(short * max(width, height) / min(width, height))
    size = (short, long) if width <= height else (long, short)
    return image.resize(size, Image.Resampling.BILINEAR)


def _centre(image: Image.Image) -> Image.Image:
    side = min(image.size)
    left, top = (round((extent - side) / 2.0) for extent in image.size)
    return image.crop((left, top, left + side, top + side))
