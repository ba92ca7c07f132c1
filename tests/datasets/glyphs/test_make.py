"""Making the file: the same bytes each time, and those that are shipped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import features

from datasets.glyphs.make import draw, make, table
from datasets.glyphs.read import PATH, SCRIPTS, read
from datasets.glyphs.render import letters

FREETYPE = "2.14.3"
"""The version that drew what is shipped."""


def test_the_same_letters_make_the_same_bytes(tmp_path: Path) -> None:
    known = letters()[::40]
    paths = [tmp_path / name for name in ("one.npz", "two.npz")]
    for path in paths:
        make(path, known)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_what_was_made_reads_back(tmp_path: Path) -> None:
    make(tmp_path / "few.npz", [("Latin", "O"), ("Greek", "Ω"), ("Greek", "Ο"), ("Lao", "ຂ")])
    few, whole = read(tmp_path / "few.npz"), read()
    assert few.names == ("Latin/O", "Greek/Ω", "Lao/ຂ")
    assert few.scripts == ("Latin", "Greek", "Lao")
    for label, name in enumerate(few.names):
        ours, shipped = few.labels == label, whole.labels == whole.names.index(name)
        assert np.array_equal(few.faces[ours], whole.faces[shipped])
        assert np.abs(few.bitmaps[ours] // 17 - (whole.bitmaps[shipped] // 17).astype(int)).max() <= 1


def test_a_face_that_repeats_another_is_left_out() -> None:
    # An upright letter that the oblique face takes over as it is would come twice.
    drawn = draw(["Q", "ߊ"])
    for label in (0, 1):
        rows = drawn.centred[drawn.labels == label].reshape(-1, 784)
        assert len(np.unique(rows, axis=0)) == len(rows) > 1
    assert (np.diff(drawn.labels * 12 + drawn.faces) > 0).all()


def test_the_table_has_a_line_for_each_script() -> None:
    lines = table().splitlines()
    assert [line[:20].strip() for line in lines] == ["script", *SCRIPTS, "all"]
    assert lines[-1].split() == ["all", "1766", "1317", "9037"]
    assert lines[1].split() == ["Latin", "443", "338", "3465"]


@pytest.mark.slow
@pytest.mark.skipif(features.version("freetype2") != FREETYPE, reason="another FreeType rounds otherwise")
def test_what_is_shipped_is_what_is_made(tmp_path: Path) -> None:
    make(tmp_path / "glyphs.npz")
    with np.load(tmp_path / "glyphs.npz") as made, np.load(PATH) as shipped:
        assert made.files == shipped.files
        assert all(np.array_equal(made[name], shipped[name]) for name in made.files)
