"""Noise as a function of (seed, stage, stream, step)."""

from __future__ import annotations

import itertools
import random

import numpy
import torch

from runner.engine.seeding import MASK, Stream, derive, scramble, seed_everything


def draw() -> tuple[float, float, float]:
    return random.random(), float(numpy.random.rand()), torch.rand(1).item()


def test_a_step_draws_the_same_whatever_happened_before() -> None:
    stream = Stream(0, "stage", "step")
    stream.seed(5)
    first = draw()
    draw()
    stream.seed(6)
    other = draw()
    stream.seed(5)
    assert draw() == first
    assert all(a != b for a, b in zip(first, other, strict=True))


def test_seeding_equals_torchs_own() -> None:
    seed_everything(123)
    ours = torch.randn(7)
    torch.manual_seed(123)
    assert torch.equal(ours, torch.randn(7))


def test_streams_differ_in_every_part() -> None:
    values = {
        Stream(*parts).value(0) for parts in [(0, "a", "x"), (1, "a", "x"), (0, "b", "x"), (0, "a", "y")]
    }
    assert len(values) == 4
    assert derive("a", "bc") != derive("ab", "c")
    assert derive(1) != derive("1")


def test_no_two_steps_of_a_stream_share_a_seed() -> None:
    stream = Stream(3, "stage", "step")
    assert len({stream.value(step) for step in range(200_000)}) == 200_000


def test_scramble_is_a_bijection_that_spreads_neighbours() -> None:
    values = [scramble(i) for i in range(2**16)]
    assert len(set(values)) == 2**16
    assert all(0 <= value <= MASK for value in values)
    flips = [bin(a ^ b).count("1") for a, b in itertools.pairwise(values)]
    assert 14 < sum(flips) / len(flips) < 18
