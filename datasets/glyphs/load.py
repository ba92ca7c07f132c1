"""Glyphs as a few-shot data set."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from torch.nn.functional import interpolate

from datasets.config import EpisodesConfig
from datasets.few_shot import Drawn, build
from datasets.glyphs.jitter import drawings
from datasets.glyphs.read import SIDE, read
from datasets.types import Access, Episodes


def load(config: EpisodesConfig, access: Access, kind: str) -> Episodes:
    """1,317 letters of fifteen scripts, 20 drawings each, embedded; no script is in two parts."""
    glyphs = read()
    drawn = drawings(glyphs)
    digest = hashlib.sha256(drawn.tobytes()).hexdigest()
    classes = [
        Drawn(name, script, _sized(images[:, None], config.size))
        for name, script, images in zip(glyphs.names, glyphs.scripts, drawn, strict=True)
    ]
    return build("glyphs", config, classes, {"glyphs": f"sha256:{digest}"})


def _sized(images: np.ndarray, size: int) -> np.ndarray:
    """uint8 `[n, 1, size, size]`, antialiased."""
    if size == SIDE:
        return images
    floats = torch.from_numpy(images).float()
    resized = interpolate(floats, (size, size), mode="bilinear", antialias=True, align_corners=False)
    return resized.round().byte().numpy()
