"""The shipped glyphs and their drawings, read and made once."""

from __future__ import annotations

import numpy as np
import pytest

from datasets.glyphs.jitter import drawings
from datasets.glyphs.read import Glyphs, read


@pytest.fixture(scope="session")
def glyphs() -> Glyphs:
    return read()


@pytest.fixture(scope="session")
def drawn(glyphs: Glyphs) -> np.ndarray:
    made = drawings(glyphs)
    made.setflags(write=False)
    return made
