"""Where jobs run: in this process, or in others of this machine or of a cluster."""

from __future__ import annotations

import logging
import os
import re
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from runner.errors import ConfigError
from runner.sweep.attendant import Attendant, Verdict
from runner.sweep.plan import Job
from runner.sweep.settings import ProcessSettings, SlurmSettings

if TYPE_CHECKING:
    from runner.signals import StopRequest

log = logging.getLogger("reclaim")
EXCHANGE = ".exchange"
HANDLE = re.compile(r"[0-9]+(_[0-9]+)?")
"""Slurm's number of a job, and within an array."""
LOCK = ".lock"
PYTHON = f"{shlex.quote(sys.executable)} -P"
"""Without the current folder on its path, where something else may be called `runner`."""

SAFE_PATH = "PYTHONSAFEPATH"
NO_LIMIT_MINUTES = 60 * 24 * 3650
"""Submitit wants a limit; the attendant keeps the one that was asked for."""


class Engine(Protocol):
    """Runs jobs.

    Attributes:
        capacity: how many it takes at a time.
        outlives: whether its jobs go on when the sweep's process ends.
    """

    capacity: int
    outlives: bool

    def start(self, jobs: Sequence[Job]) -> dict[str, str | None]:
        """Begins `jobs`; returns its own name for each, by which `adopt` finds it again.

        Raises `ConfigError` where it takes none of them.
        """

    def adopt(self, job: Job, handle: str) -> bool:
        """Takes up a job that an earlier process began; returns whether it may still be running."""

    def ended(self) -> list[tuple[Job, Verdict]]:
        """The jobs that have ended since it was last asked; does not wait."""

    def stop(self, job: Job) -> None:
        """Asks a running job to save and stop; may be called again until it has ended."""

    def close(self) -> None:
        """Leaves nothing behind; its jobs have ended, or outlive it."""


class InProcess:
    """Runs each job to its end when it is started, in this process."""

    capacity = 1
    outlives = False

    def __init__(self, home: Path, stop: StopRequest, words: Sequence[str]) -> None:
        self._home, self._stop, self._words = home, stop, list(words)
        self._done: list[tuple[Job, Verdict]] = []

    def start(self, jobs: Sequence[Job]) -> dict[str, str | None]:
        for job in jobs:
            began, said = time.monotonic(), None
            try:
                code = run_here(self._home / job.name, self._stop, self._words)
            except ConfigError as error:
                code, said = 2, str(error)
            asked = self._stop.number is not None
            self._done.append((job, Verdict(code, time.monotonic() - began, asked=asked, said=said)))
        return dict.fromkeys((job.name for job in jobs), None)

    def adopt(self, job: Job, handle: str) -> bool:
        return False

    def ended(self) -> list[tuple[Job, Verdict]]:
        done, self._done = self._done, []
        return done

    def stop(self, job: Job) -> None:
        """Has ended when `start` returns."""

    def close(self) -> None:
        """There is nothing to leave."""


def run_here(place: Path, stop: StopRequest, words: Sequence[str] = ()) -> int:
    """Runs the job in the folder `place` in this process; returns its exit code."""
    from runner import team
    from runner.run import execute
    from runner.verbs.resume import composed_of

    composed = composed_of(place, list(words))
    if team.wanted(composed):
        return team.several(["resume", str(place), *words], composed)
    return execute(composed, stop, place).code


class Submitted:
    """Runs jobs through submitit: in processes of this machine, or as jobs of a cluster.

    Arguments:
        executor: submitit's; its files lie in a folder that only this user can read, since it pickles.
        attendant: makes the attendant of a job from the job and its share of the devices.
        shares: devices for each of the jobs that run at a time; None where they are not divided.
    """

    def __init__(
        self,
        home: Path,
        executor: Any,
        attendant: Callable[[Job, str | None], Attendant],
        capacity: int,
        shares: Sequence[str] | None,
        outlives: bool,
    ) -> None:
        self._home, self._executor, self._attendant = home, executor, attendant
        self.capacity, self.outlives = capacity, outlives
        self._shares = list(shares) if shares is not None else None
        self._running: dict[str, _Running] = {}

    def start(self, jobs: Sequence[Job]) -> dict[str, str | None]:
        shares = [self._shares.pop(0) if self._shares is not None else None for _ in jobs]
        handles = self._submitted([self._attendant(job, one) for job, one in zip(jobs, shares, strict=True)])
        for job, handle, share in zip(jobs, handles, shares, strict=True):
            self._running[job.name] = _Running(job, handle, share)
        return {job.name: str(handle.job_id) for job, handle in zip(jobs, handles, strict=True)}

    def _submitted(self, calls: Sequence[Attendant]) -> list[Any]:
        from submitit.core.utils import FailedJobError, FailedSubmissionError

        try:
            with ignoring_interrupts(), safe_path(), self._executor.batch():
                return [self._executor.submit(call) for call in calls]
        except (FailedJobError, FailedSubmissionError) as error:
            said = (str(error).strip() or type(error).__name__).splitlines()[-1]
            raise ConfigError(f"the jobs could not be submitted: {said}") from error

    def adopt(self, job: Job, handle: str) -> bool:
        if not self.outlives or not HANDLE.fullmatch(handle):
            return False  # it ends with the sweep that began it, and its attendant waits for that
        found = self._executor.job_class(folder=self._executor.folder, job_id=handle, tasks=[0])
        self._running[job.name] = _Running(job, found, None)
        return True

    def ended(self) -> list[tuple[Job, Verdict]]:
        done = [one for one in self._running.values() if one.handle.done()]
        for one in done:
            del self._running[one.job.name]
            if one.share is not None and self._shares is not None:
                self._shares.append(one.share)
        return [(one.job, self._verdict(one)) for one in done]

    def _verdict(self, one: _Running) -> Verdict:
        from submitit.core.utils import FailedJobError, UncompletedJobError

        unseen = Verdict(seconds=time.monotonic() - one.began)
        if not self.outlives and not one.handle.paths.result_pickle.exists():
            return unseen  # submitit would wait for a file that a cluster's network may be slow to show
        try:
            verdict: Verdict = one.handle.result()
        except (FailedJobError, UncompletedJobError) as error:
            log.debug("%s: %s", one.job.name, error)
            return unseen
        self._tidy(str(one.handle.job_id))
        return verdict

    def _tidy(self, handle: str) -> None:
        for path in Path(self._executor.folder).glob(f"{handle}_*"):
            with suppress(OSError):
                path.unlink()

    def stop(self, job: Job) -> None:
        handle = self._running[job.name].handle
        if self.outlives:
            handle.cancel(check=False)
            return
        with suppress(ProcessLookupError):
            os.kill(int(handle.job_id), signal.SIGTERM)

    def close(self) -> None:
        place = Path(self._executor.folder)
        goes_on = self.outlives and bool(self._running)
        with suppress(OSError):  # where jobs go on without us, it is not empty
            for path in [] if goes_on else list(place.iterdir()):
                path.unlink()
            place.rmdir()


@dataclass
class _Running:
    job: Job
    handle: Any
    share: str | None
    began: float = field(default_factory=time.monotonic)


@contextmanager
def ignoring_interrupts() -> Any:
    """What is started inside ignores a terminal's Ctrl-C; the sweep asks it to stop by other means."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def safe_path() -> Iterator[None]:
    """What is started inside does not take modules from the folder it runs in, where anything may lie."""
    before = os.environ.get(SAFE_PATH)
    os.environ[SAFE_PATH] = "1"
    try:
        yield
    finally:
        os.environ.pop(SAFE_PATH)
        if before is not None:
            os.environ[SAFE_PATH] = before


def exchange(place: Path) -> Path:
    """Makes the folder of submitit's files, which nobody else may read or write; raises `ConfigError` if it
    is."""
    place.mkdir(mode=0o700, exist_ok=True)
    found = place.lstat()
    if place.is_symlink() or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise ConfigError(f"{place} can be read by others; submitit's files must be yours alone")
    return place


def processes(
    home: Path, settings: ProcessSettings, capacity: int, shares: Sequence[str] | None, words: Iterable[str]
) -> Submitted:
    """Fresh processes of this machine, `capacity` at a time."""
    from submitit import LocalExecutor

    place = exchange(home / EXCHANGE)
    for left in place.iterdir():  # by a sweep that was killed; its jobs have ended with it
        left.unlink(missing_ok=True)
    executor = LocalExecutor(place, max_num_timeout=0, python=PYTHON)
    executor.update_parameters(timeout_min=NO_LIMIT_MINUTES, stderr_to_stdout=True)
    limit = None if settings.timeout_minutes is None else 60 * settings.timeout_minutes
    devices = os.environ.get("CUDA_VISIBLE_DEVICES")  # submitit empties it
    before = {SAFE_PATH: os.environ.get(SAFE_PATH)}  # that we set is no job's business

    def attendant(job: Job, share: str | None) -> Attendant:
        return Attendant(
            str(home / job.name),
            tuple(words),
            {"CUDA_VISIBLE_DEVICES": devices if share is None else share, **before, **_threads(job)},
            limit,
            settings.grace_seconds,
            str(home / LOCK),
        )

    return Submitted(home, executor, attendant, capacity, shares, outlives=False)


def slurm(home: Path, settings: SlurmSettings, words: Iterable[str], cache: Path) -> Submitted:
    """Jobs of a Slurm cluster.

    Their files lie below `cache`, not in the sweep's folder: what is taken up there is unpickled, and a
    folder of runs may come from somebody else.
    """
    from submitit import SlurmExecutor

    parent = cache.expanduser().resolve() / "exchange"
    parent.mkdir(parents=True, exist_ok=True)
    executor = SlurmExecutor(
        exchange(parent / plain(home.name)), max_num_timeout=settings.requeues, python=PYTHON
    )
    executor.update_parameters(**_slurm_parameters(home, settings))

    def attendant(job: Job, share: str | None) -> Attendant:
        grace = max(1.0, settings.signal_seconds - 15.0)
        place = str((home / job.name).resolve())
        return Attendant(place, tuple(words), _threads(job), grace=grace, requeue=True)

    return Submitted(home, executor, attendant, sys.maxsize, None, outlives=True)


def plain(name: str) -> str:
    """A folder's name without what would mean something to a shell."""
    return re.sub(r"[^\w.-]", "-", name)


def _threads(job: Job) -> dict[str, str | None]:
    """Libraries read how many threads they may use when they are imported."""
    threads = job.config.get("threads")
    return {} if threads is None else {"OMP_NUM_THREADS": str(threads)}


def _slurm_parameters(home: Path, settings: SlurmSettings) -> dict[str, Any]:
    wanted = {
        "job_name": f"reclaim-{plain(home.name)}",
        "time": settings.minutes,
        "partition": settings.partition,
        "account": settings.account,
        "qos": settings.qos,
        "constraint": settings.constraint,
        "cpus_per_task": settings.cpus,
        "gpus_per_node": settings.gpus or None,
        "mem": None if settings.memory_gb is None else f"{round(1024 * settings.memory_gb)}MB",
        "signal_delay_s": settings.signal_seconds,
        "array_parallelism": settings.jobs,
        "setup": list(settings.setup) or None,
        "additional_parameters": dict(option.split("=", 1) for option in settings.extra) or None,
        "stderr_to_stdout": True,
    }
    return {name: value for name, value in wanted.items() if value is not None}
