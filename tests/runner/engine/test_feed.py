"""Batches are the same wherever they are made, and workers are the loop's to end."""

from __future__ import annotations

import multiprocessing
import os
import signal
from typing import Any

import pytest
import torch
from torch import Tensor

from datasets.types import DataError
from runner.engine.feed import Feed
from runner.engine.seeding import Stream

CPU = torch.device("cpu")
LOOK = Stream(1, "stage", "look")


class Noisy:
    """What the feed asks of a stage: an index, and a batch that draws."""

    def sample(self, step: int) -> int:
        return step

    def batch(self, index: int) -> Tensor:
        return torch.cat([torch.full((1,), float(index)), torch.rand(2)])


class Split:
    """Ten items."""

    def __len__(self) -> int:
        return 10

    def batch(self, indices: Tensor) -> Tensor:
        return indices


def steps(workers: int, start: int = 0, fixed: bool = False) -> Any:
    stage: Any = Noisy()
    return Feed(CPU, workers).steps(stage, Stream(1, "stage", "batch"), start, 12, fixed)


def test_workers_make_the_same_batches() -> None:
    here, there = torch.stack(list(steps(0))), torch.stack(list(steps(2)))
    assert torch.equal(here, there)
    assert here[:, 0].tolist() == list(range(12))
    assert len(set(here[:, 1].tolist())) == 12


def test_a_later_start_gives_the_rest() -> None:
    assert torch.equal(torch.stack(list(steps(0, 7))), torch.stack(list(steps(0)))[7:])


def test_a_fixed_batch_repeats_the_first() -> None:
    batches = torch.stack(list(steps(0, 3, fixed=True)))
    assert torch.equal(batches, next(steps(0)).expand(9, 3))


def test_starting_workers_draws_nothing() -> None:
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    batches = steps(1)
    next(batches)
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_split_is_read_in_order_to_its_end(workers: int) -> None:
    assert [batch.tolist() for batch in Feed(CPU, workers).batches(LOOK, Split(), 4)] == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9],
    ]


class Drawing(Split):
    """What it gives depends on torch's default generator."""

    def batch(self, indices: Tensor) -> Tensor:
        return torch.rand(len(indices))


@pytest.mark.parametrize("workers", [0, 2])
def test_what_a_look_draws_depends_on_its_batch_alone(workers: int) -> None:
    feed = Feed(CPU, workers)
    first = torch.cat(list(Feed(CPU, 0).batches(LOOK, Drawing(), 3)))
    assert len(set(first.tolist())) == 10
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    assert torch.equal(torch.cat(list(feed.batches(LOOK, Drawing(), 3))), first)
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_group_does_not_end_workers(number: int) -> None:
    batches = steps(1)
    found = [next(batches)]
    workers = multiprocessing.active_children()
    assert workers
    for worker in workers:
        assert worker.pid is not None
        os.kill(worker.pid, number)
    found += list(batches)
    assert torch.equal(torch.stack(found), torch.stack(list(steps(0))))


class Broken(Split):
    """Items of which the last cannot be read."""

    def __init__(self, error: type[Exception]) -> None:
        self.error = error

    def batch(self, indices: Tensor) -> Tensor:
        if 9 in indices:
            raise self.error("no. 9 is damaged")
        return indices


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("error", [DataError, ZeroDivisionError])
def test_what_fails_in_a_worker_fails_here_and_leaves_no_worker(workers: int, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"no\. 9 is damaged") as caught:
        list(Feed(CPU, workers).batches(LOOK, Broken(error), 4))
    if error is DataError:
        assert str(caught.value) == "no. 9 is damaged"
    assert not multiprocessing.active_children()


def test_a_long_run_needs_no_list_of_its_steps() -> None:
    stage: Any = Noisy()
    batches = Feed(CPU, 1).steps(stage, Stream(1, "stage", "batch"), 0, 10**10, False)
    assert next(batches)[0] == 0
    batches.close()
    assert not multiprocessing.active_children()
