"""Street View House Numbers: the cropped digits in MATLAB files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from datasets import sources
from datasets.blocks import ArrayBlock
from datasets.build import build, official
from datasets.config import SvhnConfig
from datasets.download import obtain
from datasets.files import damaged
from datasets.parts import hold_out
from datasets.types import Access, Images


def load(config: SvhnConfig, access: Access, kind: str) -> Images:
    """House numbers' digits, `[3, 32, 32]`, 73257 + 26032 and 531131 extra (Netzer et al., 2011).

    The extra images join the training part only; validation images come from the official training images.
    """
    files = sources.svhn(config)
    (images, labels), test, *extra = [_read(obtain("svhn", file, access)) for file in files]
    trained, held = hold_out(len(labels), config.validation, "svhn")
    if extra:
        trained = np.concatenate([trained, np.arange(len(labels), len(labels) + len(extra[0][1]))])
        images, labels = np.concatenate([images, extra[0][0]]), np.concatenate([labels, extra[0][1]])
    train_block = ArrayBlock(images, labels, config.size, config.levels)
    test_block = ArrayBlock(*test, config.size, config.levels)
    numbers = np.arange(len(test[1]))
    parts = {
        "train": (train_block, trained),
        "validation": (train_block, held),
        "test": (test_block, numbers),
    }
    return build("svhn", config, access, parts, [str(n) for n in range(10)], official(files))


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 `[N, 3, 32, 32]` and labels `[N]`; the file calls the digit zero 10."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    with damaged(path):
        try:
            arrays = loadmat(path, variable_names=("X", "y"))
        except MatReadError as error:
            raise ValueError(str(error)) from error
        images, labels = arrays["X"], arrays["y"].reshape(-1).astype(np.int64) % 10
        if images.dtype != np.uint8 or images.shape != (32, 32, 3, len(labels)):
            raise ValueError(f"it holds {images.dtype} {images.shape} for {len(labels)} labels")
    return images.transpose(3, 2, 0, 1), labels
