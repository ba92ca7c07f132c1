"""scikit-learn's digits: 1797 images of 8x8 with 17 grey levels, embedded in its wheel."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from datasets.blocks import ArrayBlock
from datasets.build import build
from datasets.config import DigitsConfig
from datasets.parts import permutation
from datasets.types import Access, Images

SIZES = {"train": 1297, "validation": 200, "test": 300}
"""The fixed split, along a permutation that never changes."""


def load(config: DigitsConfig, access: Access, kind: str) -> Images:
    """Digits in 10 classes, `[1, 8, 8]` (test set of Alpaydin and Kaynak, UCI, 1998)."""
    from sklearn.datasets import load_digits

    raw: Any = load_digits()
    images = raw.images.astype(np.uint8)
    block = ArrayBlock(images[:, None], raw.target, config.size, config.levels, native=17)
    order = permutation(len(images), "digits")
    ends = np.cumsum(list(SIZES.values()))
    numbers = dict(zip(SIZES, np.split(order, ends[:-1]), strict=True))
    digest = hashlib.sha256(images.tobytes() + raw.target.astype(np.uint8).tobytes()).hexdigest()
    parts = {part: (block, numbers[part]) for part in SIZES}
    return build("digits", config, access, parts, [str(n) for n in range(10)], {"digits": f"sha256:{digest}"})
