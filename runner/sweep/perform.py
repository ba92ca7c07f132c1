"""Runs the jobs of a sweep: locks its folder, keeps its ledger, writes its rows, prints its table."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runner import folder
from runner.signals import StopRequest
from runner.sweep.conduct import Conduct
from runner.sweep.ledger import Ended, Ledger
from runner.sweep.plan import Job
from runner.sweep.pool import Listed, Pool
from runner.sweep.rows import Rows
from runner.sweep.table import print_table

log = logging.getLogger("reclaim")


@dataclass
class Sweep:
    """A sweep that is under way in its folder, which is this process's alone."""

    home: Path
    ledger: Ledger
    pool: Pool
    stop: StopRequest


@contextmanager
def under_way(
    home: Path,
    how: Conduct,
    rows: Rows | None,
    jobs: int,
    metric: str | None = None,
    words: Mapping[str, Sequence[str]] = {},
) -> Iterator[Sweep]:
    """Takes the sweep's folder, and says what is about to run.

    `words` are as `Ledger` takes them. Raises `ConfigError` if another process has it.
    """
    from runner import console

    console.start()
    with folder.locked(home), StopRequest().listening() as stop:
        ledger = Ledger(home, words)
        if rows is not None:
            rows.take_up(ledger)
        add = rows.add if rows is not None else lambda job, ended: None
        engine = how.engine(home, stop)
        pool = Pool(home, engine, ledger, how.sweep, stop, how.limit, add, metric)
        log.info("%s", how.announced(jobs))
        log.info("folder: %s", home)
        yield Sweep(home, ledger, pool, stop)
        ledger.close()
        engine.close()


def run_jobs(home: Path, jobs: Sequence[Job], how: Conduct) -> int:
    """Runs those of the jobs that are not completed, and prints the table of all; returns the exit code."""
    words = {job.name: job.overrides for job in jobs}
    ledger = Ledger(home, words)
    count = sum(ledger.state(job.name).status != "completed" for job in jobs)
    ledger.close()
    with under_way(home, how, Rows(home, jobs), count, words=words) as sweep:
        left = [job for job in jobs if sweep.ledger.state(job.name).status != "completed"]
        # What never began comes first: with on_error=stop, a job that fails again would keep it waiting.
        left.sort(key=lambda job: sweep.ledger.state(job.name).status == "failed")
        sweep.pool.run(Listed(sweep.pool.adopt(left)))
        states = print_table([job.name for job in jobs], sweep.ledger)
    return ended(home, states, sweep.stop, all(state.status == "completed" for state in states))


def ended(home: Path, states: Sequence[Ended], stop: StopRequest, done: bool) -> int:
    """Says what can be done next; returns 0 if the sweep is done, 128 + a signal's number, or 1."""
    if any(state.status == "completed" for state in states):
        log.info("compare: run compare %s", home)
    if not done:
        log.info("go on:   run resume %s", home)
    if stop.number is not None:
        return 128 + stop.number
    return int(not done)
