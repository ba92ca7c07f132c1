"""Regression tasks that are drawn, and need no files."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable

import numpy as np

from datasets.config import CurvesConfig, LinearConfig
from datasets.types import Access, Functions, Regressions

MANY = 2**31
"""Functions of a part, where nothing limits them."""

PARTS = {"train": 0, "validation": 1, "test": 2}


def sinusoid(config: CurvesConfig, access: Access, kind: str) -> Regressions:
    """a sin(x + b), a in (0.1, 5), b in (0, pi) and x in (-5, 5) (Finn et al., ICML 2017, section 5.1)."""
    return _built("sinusoid", config, lambda part, many: Sines(part, many, config.noise))


def linear(config: LinearConfig, access: Access, kind: str) -> Regressions:
    """w x with w and x normal; the variances of x lie evenly between 1 and 1 / `condition`."""
    return _built("quadratic", config, lambda part, many: Planes(part, many, config))


def _built(name: str, config: CurvesConfig, make: Callable[[int, int], Functions]) -> Regressions:
    settings = {k: v for k, v in dataclasses.asdict(config).items() if k != "batch_size"}
    what = json.dumps({"name": name, "settings": settings}, sort_keys=True)
    many = MANY if config.limit is None else config.limit
    parts = {part: make(place, many) for part, place in PARTS.items()}
    checksum = hashlib.sha256(what.encode()).hexdigest()
    return Regressions(name, checksum, parts["train"], parts["validation"], parts["test"])


class Sines(Functions):
    """Sine curves."""

    inputs = outputs = 1

    def __init__(self, part: int, many: int, noise: float) -> None:
        self.part, self.many, self.noise = part, many, noise

    def __len__(self) -> int:
        return self.many

    def curve(self, number: int) -> tuple[float, float]:
        """Amplitude and phase of a function."""
        own = np.random.default_rng((self.part, number))
        return own.uniform(0.1, 5.0), own.uniform(0.0, np.pi)

    def draw(self, number: int, points: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        a, b = self.curve(number)
        x = random.uniform(-5.0, 5.0, (points, 1))
        return x, a * np.sin(x + b) + self.noise * random.standard_normal((points, 1))


class Planes(Functions):
    """Linear functions."""

    outputs = 1

    def __init__(self, part: int, many: int, config: LinearConfig) -> None:
        self.part, self.many, self.noise, self.inputs = part, many, config.noise, config.inputs
        self.deviations = np.linspace(1.0, 1.0 / config.condition, config.inputs) ** 0.5

    def __len__(self) -> int:
        return self.many

    def draw(self, number: int, points: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        w = np.random.default_rng((self.part, number)).standard_normal((self.inputs, 1))
        x = random.standard_normal((points, self.inputs)) * self.deviations
        return x, x @ w + self.noise * random.standard_normal((points, 1))
