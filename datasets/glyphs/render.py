"""Letters of the DejaVu faces that matplotlib ships, drawn as small grey bitmaps."""

from __future__ import annotations

import unicodedata
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.ft2font import FT2Font
from PIL import Image, ImageDraw, ImageFont

from datasets.glyphs.read import SCRIPTS, SIDE

FACES = (
    *("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSans-BoldOblique"),
    *("DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSansMono-Oblique", "DejaVuSansMono-BoldOblique"),
    *("DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-Italic", "DejaVuSerif-BoldItalic"),
)
"""Names of the files, without the ending."""

PREFIX = {script: script.upper() for script in SCRIPTS} | {"Canadian Aboriginal": "CANADIAN SYLLABICS"}
"""How Unicode's names of a script's letters begin."""

EM = 128
"""Pixels per em of the first rendering, several times what is kept."""

INK, STRETCHED = 20, 20
"""Pixels along the longer side of a letter in its bitmap, and along a stretched letter."""


def file_of(face: str) -> Path:
    """The file of a face in matplotlib's folder of fonts."""
    return Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{face}.ttf"


@cache
def code_points(face: str) -> frozenset[int]:
    """What a face has a glyph for."""
    return frozenset(FT2Font(str(file_of(face))).get_charmap())


@cache
def _font(face: str) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(file_of(face)), EM, layout_engine=ImageFont.Layout.BASIC)


def script_of(letter: str) -> str | None:
    """The script among `SCRIPTS` of a cased or uncased letter that Unicode does not decompose, else None."""
    if unicodedata.category(letter) not in ("Lu", "Ll", "Lo") or unicodedata.decomposition(letter):
        return None
    name = unicodedata.name(letter)
    return next((script for script, prefix in PREFIX.items() if name.startswith(prefix + " ")), None)


def letters() -> list[tuple[str, str]]:
    """Script and letter of all that any face has, ordered by script and then by code point."""
    known = sorted(frozenset().union(*map(code_points, FACES)))
    found = [(script_of(chr(code_point)), chr(code_point)) for code_point in known]
    return sorted(((s, letter) for s, letter in found if s), key=lambda one: SCRIPTS.index(one[0]))


def render(letter: str, face: str) -> Image.Image:
    """The letter in white on black, cut to the box of its ink."""
    left, top, right, bottom = _font(face).getbbox(letter)
    image = Image.new("L", (int(right - left) + 2, int(bottom - top) + 2))
    ImageDraw.Draw(image).text((1 - left, 1 - top), letter, fill=255, font=_font(face))
    return image.crop(image.point([0] * 128 + [255] * 128).getbbox())


def centred(crop: Image.Image) -> np.ndarray:
    """The letter at its own proportions: levels uint8 `[28, 28]` below 16, its longer side 20 pixels long."""
    side = round(max(crop.size) * SIDE / INK)
    square = Image.new("L", (side, side))
    square.paste(crop, ((side - crop.width) // 2, (side - crop.height) // 2))
    return _levels(square.resize((SIDE, SIDE), Image.Resampling.HAMMING))


def stretched(crop: Image.Image) -> np.ndarray:
    """The letter stretched to a square: levels uint8 `[22, 22]` below 16, a pixel of background around it.

    Without background a plain bar would have no variance, and no correlation with another bar.
    """
    return np.pad(_levels(crop.resize((STRETCHED, STRETCHED), Image.Resampling.HAMMING)), 1)


def _levels(image: Image.Image) -> np.ndarray:
    return ((np.asarray(image).astype(np.uint16) * 15 + 127) // 255).astype(np.uint8)
