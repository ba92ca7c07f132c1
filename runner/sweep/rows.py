"""Which rows a sweep has in TensorBoard's HParams view; `runner.sweep.hparams` writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.settings import flat
from runner.sweep.ledger import Ended, Ledger
from runner.sweep.plan import Job

if TYPE_CHECKING:
    from runner.sweep.hparams import Column, Table

PLACES = ("outputs", "data.", "methods.")
ENDED = ("completed", "failed", "stopped", "pruned")


class Rows:
    """One row for each job of a sweep that has ended.

    Arguments:
        columns: the hyperparameters; None for those in which `jobs` differ.
        metric: the metric to show first, if it is not one of the test part.
    """

    def __init__(
        self,
        home: Path,
        jobs: Sequence[Job],
        columns: Mapping[str, Column] | None = None,
        metric: str | None = None,
    ) -> None:
        self._home, self._jobs, self._columns, self._metric = home, jobs, columns, metric
        self._table: Table | None = None

    def add(self, job: Job, ended: Ended) -> None:
        """Writes the row of a job that has ended."""
        self._made().add(self._home / job.name, values(job), ended.metrics, ended.status)

    def take_up(self, ledger: Ledger) -> None:
        """Writes those of the jobs that had ended before this process began."""
        for job in self._jobs:
            ended = ledger.state(job.name)
            if ended.status in ENDED and (self._home / job.name).is_dir():
                self.add(job, ended)

    def _made(self) -> Table:
        from runner.sweep import hparams  # imports tensorboard, which takes a while

        if self._table is None:
            found = hparams.columns([values(job) for job in self._jobs])
            self._table = hparams.Table(found if self._columns is None else self._columns, self._metric)
        return self._table


def values(job: Job) -> dict[str, Any]:
    """What could differ between jobs: settings by dotted key, and the names of method and data set."""
    named = {group: job.choices[group] for group in ("method", "dataset")}
    settings = {key: value for key, value in flat(job.config).items() if not key.startswith(PLACES)}
    return {**named, **settings}
