"""The stream of shuffled indices: every item once per epoch, and a batch is a function of seed and step."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.types import Shuffle

SMALL = st.tuples(st.integers(1, 40), st.integers(1, 60), st.integers(0, 2**40))


@settings(max_examples=60, deadline=None)
@given(SMALL)
def test_every_item_comes_once_per_epoch(case: tuple[int, int, int]) -> None:
    items, batch_size, seed = case
    stream = Shuffle(items, batch_size, seed)
    joined = torch.cat([stream(step) for step in range(-(-3 * items // batch_size))])
    for epoch in range(3):
        assert sorted(joined[epoch * items : (epoch + 1) * items].tolist()) == list(range(items))


@settings(max_examples=60, deadline=None)
@given(SMALL, st.integers(0, 200))
def test_a_batch_does_not_depend_on_the_batches_before_it(case: tuple[int, int, int], step: int) -> None:
    walked = Shuffle(*case)
    for earlier in range(step):
        walked(earlier)
    walked(step + 3)
    assert torch.equal(walked(step), Shuffle(*case)(step))
    assert len(walked(step)) == case[1]


def test_epochs_and_seeds_differ_and_global_randomness_is_left_alone() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first, again, other = Shuffle(100, 100, 1)(0), Shuffle(100, 100, 1)(1), Shuffle(100, 100, 2)(0)
    assert not torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)
