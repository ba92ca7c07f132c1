"""Which letters are taken, and that the file holds what another rasteriser draws afresh."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.ft2font import FT2Font, LoadFlags
from PIL import Image

from datasets.glyphs.read import Glyphs
from datasets.glyphs.render import FACES, centred, code_points, file_of, letters, render, script_of, stretched

SOME = ("Latin/Q", "Latin/ß", "Greek/Ω", "Cyrillic/Ж", "Canadian Aboriginal/ᐂ", "Georgian/ფ", "Lao/ຂ")


@pytest.mark.parametrize(
    ("letter", "script"),
    [
        *(("a", "Latin"), ("Ω", "Greek"), ("ж", "Cyrillic"), ("ᐁ", "Canadian Aboriginal"), ("ა", "Georgian")),
        *(("ߊ", "Nko"), ("𐌀", "Old Italic"), ("ϣ", "Coptic"), ("ꓐ", "Lisu")),
        *(("é", None), ("ª", None), ("ﷲ", None), ("7", None), ("ʰ", None), ("ก", None), ("\n", None)),
    ],
)
def test_letters_have_a_script_and_no_decomposition(letter: str, script: str | None) -> None:
    assert script_of(letter) == script


def test_letters_come_in_the_order_of_the_classes(glyphs: Glyphs) -> None:
    known = [f"{script}/{letter}" for script, letter in letters()]
    places = [known.index(name) for name in glyphs.names]
    assert places == sorted(places)
    assert len(known) == len(set(known)) == 1766


def matplotlibs(letter: str, face: str) -> np.ndarray:
    """The letter as matplotlib draws it, without hints, on the same square and by another reduction."""
    font = FT2Font(str(file_of(face)))
    font.set_size(448, 72)
    font.set_text(letter, 0, flags=LoadFlags.NO_HINTING)
    font.draw_glyphs_to_bitmap()
    ink = np.asarray(font.get_image())
    rows, columns = (np.flatnonzero((ink > 127).any(axis)) for axis in (1, 0))
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    side = round(max(ink.shape) * 1.4)
    square = np.zeros((side, side), np.uint8)
    top, left = (side - ink.shape[0]) // 2, (side - ink.shape[1]) // 2
    square[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return np.asarray(Image.fromarray(square).resize((28, 28), Image.Resampling.BOX))


@pytest.mark.parametrize("name", SOME)
def test_the_file_holds_what_matplotlib_draws(glyphs: Glyphs, name: str) -> None:
    chosen = np.flatnonzero(glyphs.labels == glyphs.names.index(name))
    for number in chosen:
        theirs = matplotlibs(name[-1], glyphs.face_names[glyphs.faces[number]])
        ours = glyphs.bitmaps[number]
        assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.98
        assert abs(float(ours.mean()) - float(theirs.mean())) < 3


@pytest.mark.parametrize("name", SOME)
def test_every_face_that_has_a_letter_is_there_or_repeats_another(glyphs: Glyphs, name: str) -> None:
    held = glyphs.labels == glyphs.names.index(name)
    ours = {face: bitmap // 17 for face, bitmap in zip(glyphs.faces[held], glyphs.bitmaps[held], strict=True)}
    having = [number for number, face in enumerate(FACES) if ord(name[-1]) in code_points(face)]
    assert set(ours) <= set(having)
    for face in having:
        afresh = centred(render(name[-1], FACES[face])).astype(int)
        # One level of sixteen is what another version of FreeType may round to.
        assert any(np.abs(afresh - bitmap).max() <= 1 for number, bitmap in ours.items() if number <= face)


def test_a_stretched_letter_fills_its_square_and_has_a_margin() -> None:
    bar = stretched(render("l", "DejaVuSans"))
    assert bar.shape == (22, 22)
    assert bar[1:-1, 2:-2].min() > 7
    assert not bar[[0, -1]].any()
    assert not bar[:, [0, -1]].any()
