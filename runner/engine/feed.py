"""Batches for the loop: made in place for data in memory, in worker processes for data that is decoded."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from datasets.types import DataError
from runner.api import TrainStage
from runner.engine import tree
from runner.engine.seeding import Stream, apart
from runner.engine.team import Team
from runner.errors import ConfigError
from runner.processes import die_with_parent


class _Refused:
    """What is wrong with the data, found by a worker; torch would wrap the exception in a traceback."""

    def __init__(self, error: Exception) -> None:
        self.message = str(error)


class _Workers(Dataset[Any]):
    """A data set for worker processes; what is wrong with the data comes back as a value."""

    def __init__(self, dataset: Dataset[Any]) -> None:
        self.dataset = dataset

    def __getitem__(self, i: int) -> Any:
        try:
            return self.dataset[i]
        except (DataError, ConfigError) as error:
            return _Refused(error)


class _Steps(Dataset[Any]):
    """The batches of a stage by step; each is seeded by its step, wherever it is made."""

    def __init__(
        self,
        stage: TrainStage,
        stream: Stream,
        fixed: bool,
        divide: Callable[[Any, Callable[[Any], Any]], Any],
    ) -> None:
        self.stage, self.stream, self.fixed, self.divide = stage, stream, fixed, divide

    def __getitem__(self, step: int) -> Any:
        step = 0 if self.fixed else step
        self.stream.seed(step)
        return self.divide(self.stage.sample(step), self.stage.batch)


class _Parts(Dataset[Any]):
    """The batches of a split in order; what one draws depends on its number alone."""

    def __init__(self, split: Any, size: int, stream: Stream) -> None:
        self.split, self.size, self.stream = split, size, stream

    def __getitem__(self, i: int) -> Any:
        indices = torch.arange(i * self.size, min((i + 1) * self.size, len(self.split)))
        with apart(self.stream.value(i)):
            return self.split.batch(indices)


class Feed:
    """Yields batches on a device.

    Attributes:
        workers: processes that make them; 0 makes them in place. The batches are the same either way.
    """

    def __init__(self, device: torch.device, workers: int, team: Team | None = None) -> None:
        self.device, self.workers, self.team = device, workers, team or Team()

    def steps(
        self, stage: TrainStage, stream: Stream, start: int, stop: int, fixed: bool, accumulate: int = 1
    ) -> Iterator[Any]:
        """This process's share of the batches of steps `start` to `stop - 1`; `fixed` repeats the first one
        for ever."""
        divide = partial(self.team.divided, accumulate=accumulate)
        return self._read(_Steps(stage, stream, fixed, divide), range(start, stop))

    def batches(self, stream: Stream, split: Any, size: int) -> Iterator[Any]:
        """The whole of `split` in order, `size` items at a time; the same each time."""
        return self._read(_Parts(split, size, stream), range(-(-len(split) // size)))

    def share(self, stream: Stream, split: Any, size: int) -> Iterator[tuple[Any, int]]:
        """The same batches, each with its length; those that other processes see to are None."""
        count, team = -(-len(split) // size), self.team
        own = self._read(_Parts(split, size, stream), range(team.rank, count, team.size))
        for i in range(count):
            length = min(size, len(split) - i * size)
            yield (next(own) if i % team.size == team.rank else None), length

    def _read(self, dataset: Dataset[Any], order: range) -> Iterator[Any]:
        if self.workers == 0:
            yield from (tree.to(dataset[i], self.device) for i in order)
            return
        batches: Any = iter(self._loader(_Workers(dataset), order))
        try:
            for batch in batches:
                if isinstance(batch, _Refused):
                    raise DataError(batch.message)
                yield tree.to(batch, self.device)
        finally:
            # An exception keeps the iterator alive, and with it workers that nobody would end.
            batches._shutdown_workers()

    def _loader(self, dataset: Dataset[Any], order: range) -> Iterable[Any]:
        return DataLoader(
            dataset,
            batch_size=None,
            sampler=order,
            num_workers=self.workers,
            worker_init_fn=_begin_worker,
            pin_memory=self.device.type == "cuda",
            generator=torch.Generator(),  # starting workers draws nothing from the default one
        )


def _begin_worker(worker: int) -> None:
    # End with the run, however it ends: a worker that outlives a kill holds the lock of the run's folder.
    die_with_parent(signal.SIGKILL)
    # A terminal sends Ctrl-C to the whole group; the loop decides when to stop and ends its workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
