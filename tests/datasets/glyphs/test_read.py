"""The embedded file: what it holds, how its classes are split, and what it costs to read."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from datasets.glyphs.read import PATH, SCRIPTS, SPLIT, Glyphs, pack, unpack
from datasets.glyphs.render import FACES, file_of

ROOT = Path(__file__).parents[3]

CLASSES = {
    "Latin": 338,
    "Greek": 35,
    "Cyrillic": 148,
    "Canadian Aboriginal": 353,
    "Arabic": 88,
    "Tifinagh": 39,
    "Georgian": 115,
    "Armenian": 54,
    "Hebrew": 24,
    "Lao": 35,
    "Old Italic": 24,
    "Nko": 24,
    "Ogham": 24,
    "Coptic": 9,
    "Lisu": 7,
}


def test_the_counts_never_change_by_themselves(glyphs: Glyphs) -> None:
    assert Counter(glyphs.scripts) == CLASSES
    assert glyphs.bitmaps.shape == (9037, 28, 28)
    assert (glyphs.bitmaps.dtype, glyphs.labels.dtype, glyphs.faces.dtype) == (np.uint8, np.int64, np.int64)
    assert np.array_equal(np.unique(glyphs.bitmaps), np.arange(16) * 17)
    assert glyphs.face_names == FACES


def test_names_are_of_script_and_letter(glyphs: Glyphs) -> None:
    assert len(set(glyphs.names)) == len(glyphs.names)
    assert all(
        name == f"{script}/{name[-1]}" for name, script in zip(glyphs.names, glyphs.scripts, strict=True)
    )
    assert {"Latin/a", "Greek/Ω", "Georgian/ა", "Hebrew/א", "Lao/ຂ"} <= set(glyphs.names)


def test_bitmaps_are_ordered_by_class_and_face_and_none_is_twice_in_a_class(glyphs: Glyphs) -> None:
    keys = glyphs.labels * len(FACES) + glyphs.faces
    assert (np.diff(keys) > 0).all()
    assert np.array_equal(np.unique(glyphs.labels), np.arange(len(glyphs.names)))
    assert np.bincount(glyphs.labels).min() >= 2
    seen = {
        (label, bitmap.tobytes())
        for label, bitmap in zip(glyphs.labels.tolist(), glyphs.bitmaps, strict=True)
    }
    assert len(seen) == len(glyphs.labels)


def test_letters_are_centred_and_twenty_pixels_long(glyphs: Glyphs) -> None:
    # A pixel counts from a grey of one quarter on, and a place may be off by one for each edge.
    for axis in (1, 2):
        inked = (glyphs.bitmaps >= 64).any(axis)
        first, last = inked.argmax(1), 27 - inked[:, ::-1].argmax(1)
        assert (np.abs(first + last - 27) <= 2).all()
    spans = [(glyphs.bitmaps >= 64).any(axis) for axis in (1, 2)]
    longest = np.max([28 - span.argmax(1) - span[:, ::-1].argmax(1) for span in spans], axis=0)
    assert set(longest.tolist()) <= {19, 20, 21}
    edges = np.concatenate([glyphs.bitmaps[:, [0, -1]].ravel(), glyphs.bitmaps[:, :, [0, -1]].ravel()])
    assert not edges.any()


def test_every_class_is_in_one_part(glyphs: Glyphs) -> None:
    assert sorted(SCRIPTS) == sorted(CLASSES)
    parts = [glyphs.classes(part) for part in SPLIT]
    assert [len(part) for part in parts] == [874, 127, 316]
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(len(glyphs.names)))
    assert {glyphs.scripts[number] for number in parts[1]} == {"Arabic", "Tifinagh"}


@pytest.mark.parametrize("shape", [(2,), (3, 4), (2, 28, 28)])
def test_packing_is_undone_by_unpacking(shape: tuple[int, ...]) -> None:
    levels = np.random.default_rng(0).integers(0, 16, shape, dtype=np.uint8)
    packed = pack(levels)
    assert packed.shape == (*shape[:-1], shape[-1] // 2)
    assert np.array_equal(unpack(packed), levels)


def test_the_file_is_small_and_is_installed_with_the_licence_of_the_fonts() -> None:
    assert PATH.stat().st_size < 1_000_000
    licence = PATH.with_name("LICENSE_DEJAVU")
    assert licence.read_bytes() == file_of(FACES[0]).with_name("LICENSE_DEJAVU").read_bytes()
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert set(settings["tool"]["setuptools"]["package-data"]["datasets.glyphs"]) == {
        PATH.name,
        licence.name,
    }


def test_reading_and_drawing_need_nothing_heavy() -> None:
    code = (
        "import sys, datasets.glyphs.jitter; print({'torch', 'matplotlib', 'PIL', 'scipy'} & {*sys.modules})"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"
