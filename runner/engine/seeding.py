"""Randomness as a function of (seed, stage, stream, step), so that a run can be taken up at any step.

Before every step the default generators of Python, numpy and torch are seeded. Nothing that happened before,
such as an evaluation, a longer log or a crash, can then change what a step draws.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy
import torch

MASK = 0xFFFFFFFF


def derive(*parts: int | str) -> int:
    """A 64-bit number from `parts`; different parts give unrelated numbers."""
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def scramble(value: int) -> int:
    """A bijection of 32-bit numbers that parts neighbours (two rounds of multiply and shift)."""
    value = ((value ^ (value >> 16)) * 0x7FEB352D) & MASK
    value = ((value ^ (value >> 15)) * 0x846CA68B) & MASK
    return value ^ (value >> 16)


def seed_host(value: int) -> None:
    """Seeds the default generators of Python, numpy and torch's CPU with a 32-bit number."""
    random.seed(value)
    numpy.random.seed(value)
    # torch.manual_seed formats a stack trace at every call; the generator's own method takes microseconds.
    torch.default_generator.manual_seed(value)


def seed_everything(value: int) -> None:
    """Seeds the default generators of Python, numpy and torch (all devices) with a 32-bit number."""
    seed_host(value)
    if torch.cuda.is_initialized():  # costs a tenth of asking whether there is a device
        for generator in torch.cuda.default_generators:
            generator.manual_seed(value)
    elif torch.backends.mps.is_available():
        torch.mps.manual_seed(value)


@contextmanager
def apart(value: int) -> Iterator[None]:
    """Seeds the host's default generators inside, and leaves them outside as they were."""
    python, arrays, tensors = random.getstate(), numpy.random.get_state(), torch.default_generator.get_state()
    seed_host(value)
    try:
        yield
    finally:
        random.setstate(python)
        numpy.random.set_state(arrays)
        torch.default_generator.set_state(tensors)


class Stream:
    """The seeds of one purpose within a stage, such as `"step"` or `"batch"`.

    The CPU generator uses 32 bits of a seed, so a stream maps steps to seeds by a bijection: no two of its
    first 2^32 steps share their noise.
    """

    def __init__(self, seed: int, stage: str, purpose: str) -> None:
        self._offset = derive(seed, stage, purpose) & MASK

    def value(self, step: int) -> int:
        """The 32-bit seed of `step`."""
        return scramble((self._offset + step) & MASK)

    def seed(self, step: int = 0) -> None:
        """Seeds the default generators for `step`."""
        seed_everything(self.value(step))
