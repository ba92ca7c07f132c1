"""scikit-learn's digits: 1797 images of 8x8 with 17 grey levels, embedded in its wheel."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from datasets.blocks import ArrayBlock
from datasets.build import build
from datasets.config import DigitsConfig
from datasets.parts import permutation
from datasets.types import Access, Images

SIZES = {"train": 1297, "validation": 200, "test": 300}
"""The fixed split, along a permutation that never changes."""


def _table() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """uint8 `[1797, 65]`: pixels and class. Read past scikit-learn, whose import takes a second."""
    package = find_spec("sklearn")
    assert package is not None
    assert package.origin is not None
    path = Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"
    if path.is_file():
        return np.loadtxt(path, delimiter=",", dtype=np.uint8)
    from sklearn.datasets import load_digits

    raw: Any = load_digits()
    return np.column_stack([raw.data, raw.target]).astype(np.uint8)


def load(config: DigitsConfig, access: Access, kind: str) -> Images:
    """Digits in 10 classes, `[1, 8, 8]` (test set of Alpaydin and Kaynak, UCI, 1998)."""
    table = _table()
    images, target = table[:, :-1].reshape(-1, 8, 8), table[:, -1].astype(np.int64)
    block = ArrayBlock(images[:, None], target, config.size, config.levels, native=17)
    order = permutation(len(images), "digits")
    ends = np.cumsum(list(SIZES.values()))
    numbers = dict(zip(SIZES, np.split(order, ends[:-1]), strict=True))
    digest = hashlib.sha256(images.tobytes() + table[:, -1].tobytes()).hexdigest()
    parts = {part: (block, numbers[part]) for part in SIZES}
    return build("digits", config, access, parts, [str(n) for n in range(10)], {"digits": f"sha256:{digest}"})
