"""What calls cost, where it is known."""

from __future__ import annotations

import time

import pytest
import torch

from methods.common.cost import peak_mb, seconds


def test_the_peak_is_what_is_held_at_once() -> None:
    """Of two tensors of 4 MB one after the other, one; of both together, two."""

    def one_after_the_other() -> None:
        for _ in range(3):
            torch.empty(1_000_000)

    assert peak_mb(one_after_the_other) == pytest.approx(4, abs=0.01)
    assert peak_mb(lambda: [torch.empty(1_000_000) for _ in range(2)]) == pytest.approx(8, abs=0.01)


def test_the_shortest_call_counts_and_the_first_does_not() -> None:
    waits = iter([0.0, 0.03, 0.01, 0.02])
    assert seconds(lambda: time.sleep(next(waits)), repeats=3) == pytest.approx(0.01, abs=0.008)
