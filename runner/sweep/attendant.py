"""Runs one job in a process of its own, watches it, and says how it ended.

It is itself a small process that imports neither torch nor Hydra, so it can be asked to stop at any time, and
a job that crashes, hangs or is killed takes nothing with it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, BinaryIO

from runner import processes

POLL = 0.05
DUMP_SECONDS = 2.0
"""How long a job may take to say where it hangs."""

PREEMPTED_SECONDS = 3.0
"""How long after a plain SIGTERM a cluster's own signal of a preemption may follow."""

LOCK_SECONDS = 60.0
"""How long a job's folder may stay locked by what an earlier, killed sweep has left running."""

TAIL = 20_000
FRAME = re.compile(r'File "([^"]+)", line (\d+)(?:,)? in (\S+)')


@dataclass(frozen=True)
class Verdict:
    """How the process of a job ended.

    Attributes:
        code: its exit code, or minus the number of the signal that ended it; None where nobody saw it.
        seconds: how long it took.
        late: whether it was over its time.
        asked: whether it was asked to stop.
        where: the line at which a crash or a hang was, if it is known.
        said: the sentence with which it refused to begin, if it did.
    """

    code: int | None = None
    seconds: float = 0.0
    late: bool = False
    asked: bool = False
    where: str | None = None
    said: str | None = None


@dataclass
class Attendant:
    """Called in a process of its own, runs `run resume PLACE` in another.

    Attributes:
        place: the job's folder.
        words: words that follow it.
        environment: variables that are set, or removed where None, before anything is imported.
        limit: seconds after which the job has failed; None for no limit.
        grace: seconds that it may take to save.
        watch: a file that the sweep holds a lock on while it lives; None where jobs outlive it.
        requeue: whether the cluster's signal puts the job into its queue again.
        command: what is run, before the folder and the words.
    """

    place: str
    words: tuple[str, ...] = ()
    environment: Mapping[str, str | None] = field(default_factory=dict)
    limit: float | None = None
    grace: float = 30.0
    watch: str | None = None
    requeue: bool = False
    command: tuple[str, ...] = (*processes.RUN, "resume")

    def __post_init__(self) -> None:
        self._asked, self._preempted = False, False

    def __call__(self) -> Verdict:
        before = self._listen()
        if self.watch is not None:
            processes.die_with_parent(signal.SIGTERM)
            threading.Thread(target=self._mind, args=(self.watch,), daemon=True).start()
        wait_until_free(Path(self.place) / ".lock", LOCK_SECONDS, lambda: self._asked)
        verdict = self._attend()
        if self.requeue and self._preempted and verdict.code != 0:
            before(signal.SIGUSR2, None)  # submitit's own handler: puts the job into the queue again
        return verdict

    def checkpoint(self) -> Any:
        """What submitit runs when the job comes out of the queue again: the same, which goes on."""
        from submitit.helpers import DelayedSubmission

        again = Attendant(**{name: getattr(self, name) for name in self.__dataclass_fields__})
        return DelayedSubmission(again)

    def _listen(self) -> Any:
        """Takes SIGTERM and the cluster's signal as requests, however often they come."""
        signal.signal(signal.SIGTERM, self._ask)
        before = signal.getsignal(signal.SIGUSR2)
        signal.signal(signal.SIGUSR2, self._preempt)
        return before

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self._asked = True

    def _preempt(self, number: int, frame: FrameType | None) -> None:
        self._asked = self._preempted = True

    def _mind(self, watch: str) -> None:
        """Asks the job to stop when the sweep is gone: the system then gives its lock to those who wait."""
        with contextlib.suppress(OSError), open(watch, "rb") as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_SH)
            self._asked = True

    def _attend(self) -> Verdict:
        began = time.monotonic()
        with tempfile.TemporaryFile() as errors:
            if self._asked:
                return Verdict(asked=True)
            process = processes.start(
                [*self.command, self.place, *self.words],
                {**self.environment, "PYTHONFAULTHANDLER": "1"},
                subprocess.DEVNULL,
                errors,
            )
            late, dumped = self._wait(process, began)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)  # what it has started and left behind
            seconds = time.monotonic() - began
            text = _tail(errors)
        if text and (process.returncode < 0 or dumped):
            _add(Path(self.place) / "run.log", text)
        asked = self._asked and not late
        return Verdict(process.returncode, seconds, late, asked, _where(text), _refusal(text))

    def _wait(self, process: subprocess.Popen[bytes], began: float) -> tuple[bool, bool]:
        """Waits for the end; returns whether the job was over its time, and whether it had to be killed."""
        late = False
        while not (ended := processes.ended(process, POLL)) and not self._asked:
            if self.limit is not None and time.monotonic() - began > self.limit:
                late = True
                break
        if ended:
            return late, False
        process.send_signal(signal.SIGTERM)
        killed = not processes.ended(process, self.grace)
        if killed:
            process.send_signal(signal.SIGABRT)  # Python's fault handler then says where it hangs
            if not processes.ended(process, DUMP_SECONDS):
                process.kill()
                process.wait()
        if self.requeue and not late:  # a preemption may send SIGTERM first
            deadline = time.monotonic() + PREEMPTED_SECONDS
            while not self._preempted and time.monotonic() < deadline:
                time.sleep(POLL)
        return late, killed


def wait_until_free(path: Path, seconds: float, enough: Callable[[], bool]) -> bool:
    """Waits until no process holds the lock on `path`, or until `enough`; returns whether it came free."""
    deadline = time.monotonic() + seconds
    while True:
        with path.open("a") as file:
            try:
                fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                if time.monotonic() > deadline or enough():
                    return False
        time.sleep(0.2)


def _tail(errors: BinaryIO) -> str:
    errors.seek(max(0, errors.seek(0, os.SEEK_END) - TAIL))
    return errors.read().decode(errors="replace")


def _add(log: Path, text: str) -> None:
    with contextlib.suppress(OSError), log.open("a", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text if text.endswith("\n") else text + "\n")


def _refusal(text: str) -> str | None:
    """What the command says when it refuses to run."""
    lines = [line for line in text.splitlines() if line.startswith(("error: ", "failed: "))]
    return lines[-1].partition(": ")[2] if lines else None


def _where(text: str) -> str | None:
    """The innermost line of the newest trace in `text`, as Python's fault handler writes it."""
    _, found, trace = text.rpartition("most recent call first")
    frame = FRAME.search(trace) if found else None
    return f"{Path(frame[1]).name}, line {frame[2]}, in {frame[3]}" if frame else None
