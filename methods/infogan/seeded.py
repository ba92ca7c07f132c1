"""Draws of evaluations, which are the same in all runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

SEED = 20160612
"""Of the codes and noise of evaluations: the day of the paper's preprint."""


@contextmanager
def seeded(value: int = SEED) -> Iterator[None]:
    """torch's CPU generator begins at `value` inside, and goes on outside as if nothing had been drawn."""
    state = torch.default_generator.get_state()
    torch.default_generator.manual_seed(value)
    try:
        yield
    finally:
        torch.default_generator.set_state(state)
