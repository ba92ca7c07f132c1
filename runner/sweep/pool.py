"""Keeps an engine busy with the jobs of a sweep until all have ended, and writes down what became of them."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from runner.errors import ConfigError
from runner.signals import StopRequest
from runner.sweep.engines import Engine
from runner.sweep.judge import Stamp, judge, pruned, stamp
from runner.sweep.ledger import Ended, Ledger
from runner.sweep.plan import Job
from runner.sweep.settings import SweepSettings
from runner.sweep.table import metric_of

log = logging.getLogger("reclaim")
POLL = 0.1
ARRAY = 1000
"""Jobs that are submitted together; a Slurm cluster takes arrays of 1000 unless it is told otherwise."""

SHOWN = 64
"""Where more jobs than these run at a time, nobody reads which have begun."""

ASK_AGAIN = 1.0
"""Seconds after which a job is asked to stop again: one that has just begun may not have heard."""


class Source(Protocol):
    """Where jobs come from.

    Attributes:
        total: how many there will be.
    """

    total: int

    def next(self) -> Job | None:
        """The next job; None where there is none now."""

    def ended(self, job: Job, ended: Ended) -> None:
        """The job has ended, and is not tried again."""

    def hopeless(self, job: Job) -> str | None:
        """Why a running job is not worth going on with, if it is not; it is then asked to stop."""

    def label(self, job: Job) -> str:
        """What a person reads of a job."""


class Listed:
    """Jobs that are known beforehand."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        self._jobs = deque(jobs)
        self.total = len(self._jobs)

    def next(self) -> Job | None:
        return self._jobs.popleft() if self._jobs else None

    def ended(self, job: Job, ended: Ended) -> None:
        """Nobody asks."""

    def hopeless(self, job: Job) -> str | None:
        return None

    def label(self, job: Job) -> str:
        return job.name


@dataclass
class _Running:
    job: Job
    before: Stamp
    hopeless: str | None = None
    asked: float | None = None


class Pool:
    """Runs the jobs of one source.

    Arguments:
        limit: seconds that an attempt may take, for messages.
        on_end: called with each job that is not tried again.
        metric: what is shown of a completed job; None shows the first of the test part.
    """

    def __init__(
        self,
        home: Path,
        engine: Engine,
        ledger: Ledger,
        settings: SweepSettings,
        stop: StopRequest,
        limit: float | None = None,
        on_end: Callable[[Job, Ended], None] = lambda job, ended: None,
        metric: str | None = None,
    ) -> None:
        self._home, self._engine, self._ledger, self._settings = home, engine, ledger, settings
        self._stop, self._limit, self._on_end, self._metric = stop, limit, on_end, metric
        self._running: dict[str, _Running] = {}
        self._again: deque[Job] = deque()
        self._tries: dict[str, int] = {}
        self._done, self._failed, self._told = 0, False, False

    def run(self, source: Source) -> None:
        """Runs jobs until there are no more, or until a stop was asked for and those running have ended."""
        while True:
            self._fill(source)
            for job, verdict in self._engine.ended():
                running = self._running.pop(job.name)
                if verdict.code is None and self._stop.number is not None:  # it had just begun, say
                    verdict = replace(verdict, asked=True)
                ended = judge(self._home / job.name, running.before, verdict, self._limit)
                self._end(source, running, ended)
            if not self._running and not self._more(source):
                return
            if self._stop.number is not None and self._engine.outlives:
                log.info("the jobs go on without this command; run resume %s waits for them", self._home)
                return
            self._ask(source)
            if self._running:  # to look at thousands of jobs takes a while, too
                time.sleep(POLL * max(1.0, len(self._running) / 50))

    def adopt(self, jobs: Iterable[Job]) -> list[Job]:
        """Takes up those of `jobs` that still run without us; returns the others."""
        others = []
        for job in jobs:
            entry = self._ledger.of(job.name)
            if entry.handle is not None and entry.ended is None and self._engine.adopt(job, entry.handle):
                log.info("%s was begun already; waiting for it", job.name)
                self._running[job.name] = _Running(job, stamp(self._home / job.name))
            else:
                others.append(job)
        return others

    def _closed(self) -> bool:
        return self._stop.number is not None or (self._failed and self._settings.on_error == "stop")

    def _more(self, source: Source) -> bool:
        """Whether another job could be begun, which is then kept."""
        if self._closed():
            return False
        if not self._again and (job := source.next()) is not None:
            self._again.append(job)
        return bool(self._again)

    def _fill(self, source: Source) -> None:
        jobs: list[Job] = []
        while len(self._running) + len(jobs) < self._engine.capacity and self._more(source):
            jobs.append(self._again.popleft())
        ready = [job for job in jobs if self._prepared(job, source)]
        if ready:
            self._begin(ready, source)

    def _prepared(self, job: Job, source: Source) -> bool:
        """Makes the job's folder; what is in its way is that job's failure alone."""
        self._tries[job.name] = self._tries.get(job.name, 0) + 1
        try:
            self._running[job.name] = _Running(job, stamp(job.prepare(self._home)))
        except ConfigError as error:
            self._end(source, _Running(job, None), Ended("failed", str(error), wrong=True))
            return False
        return True

    def _begin(self, jobs: list[Job], source: Source) -> None:
        if self._engine.outlives:
            self._submit(jobs, source)
            return
        if self._engine.capacity == 1:
            log.info("\njob %d/%d: %s", self._done + 1, source.total, source.label(jobs[0]))
        elif self._engine.capacity <= SHOWN:
            for job in jobs:
                log.info("begun: %s", source.label(job))
        for job in jobs:  # first, for a job that is begun and not in the ledger would be begun twice
            self._ledger.begin(job.name)
        self._engine.start(jobs)

    def _submit(self, jobs: list[Job], source: Source) -> None:
        handles: dict[str, str | None] = {}
        for some in batched(jobs, ARRAY):
            try:
                more = self._engine.start(some)
            except ConfigError as error:
                raise ConfigError(f"{error} ({len(handles):,} of {len(jobs):,} were)") from error
            for name, handle in more.items():
                self._ledger.begin(name, handle)
            handles |= more
        if len(jobs) > SHOWN:
            log.info("submitted: %s jobs", f"{len(jobs):,}")
            return
        for job in jobs:
            log.info("submitted: %s as %s", source.label(job), handles[job.name])

    def _end(self, source: Source, running: _Running, ended: Ended) -> None:
        job = running.job
        if running.hopeless and ended.status == "stopped":
            ended = pruned(self._home / job.name, Ended("pruned", running.hopeless, seconds=ended.seconds))
        elif ended.status == "stopped" and self._stop.number is None:
            ended = replace(ended, error="stopped by a signal from outside of the sweep")
        self._ledger.end(job.name, ended)
        if self._tries.get(job.name, 0) <= self._settings.retries and _worth_a_try(ended):
            log.info("%s failed: %s; trying it again", job.name, ended.error)
            self._again.append(job)
            return
        if self._stop.number is None or ended.status != "stopped":
            self._done += 1
            self._failed = self._failed or ended.status in ("failed", "stopped")
            self._say(source.label(job), ended, source.total)
            source.ended(job, ended)
        self._on_end(job, ended)

    def _say(self, label: str, ended: Ended, total: int) -> None:
        what = metric_of(ended.metrics, self._metric) if ended.status == "completed" else ended.error or ""
        log.info("[%d/%d] %s  %s  %s  %.1f s", self._done, total, label, ended.status, what, ended.seconds)

    def _ask(self, source: Source) -> None:
        """Asks jobs to stop that are hopeless, or all where a stop was asked for."""
        now = time.monotonic()
        if self._stop.number is not None and not self._told and self._running:
            self._told = True
            log.info("stopping: %d running jobs save what they have", len(self._running))
        for running in self._running.values():
            running.hopeless = running.hopeless or source.hopeless(running.job)
            due = running.asked is None or now - running.asked > ASK_AGAIN
            if due and (running.hopeless or self._stop.number is not None):
                running.asked = now
                self._engine.stop(running.job)


def batched(jobs: Sequence[Job], size: int) -> Iterator[Sequence[Job]]:
    """`jobs` in order, at most `size` at a time."""
    return (jobs[i : i + size] for i in range(0, len(jobs), size))


def _worth_a_try(ended: Ended) -> bool:
    return ended.status == "failed" and not ended.wrong
