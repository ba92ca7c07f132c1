"""What became of a sweep's jobs: one line for every begin and end, added to as they come."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner import folder
from runner.errors import ConfigError, os_sentence

NAME = "ledger.jsonl"
NOT_RUN = "not run"
UNDER_WAY = "under way"
"""On a cluster: in its queue, or running, or ended where nobody has looked yet."""
TYPES = {
    **{"job": str, "event": str, "status": str, "wrong": bool, "seconds": int | float},
    **{"error": str | None, "handle": str | None},
}
"""What a line may hold; one that holds anything else is passed over, as a torn one is."""


@dataclass(frozen=True)
class Ended:
    """How an attempt at a job ended.

    Attributes:
        status: completed, failed, stopped, pruned, under way or not run.
        error: one line, or None.
        wrong: whether it was wrong input, which no second attempt would mend.
        metrics: what a completed job came to.
    """

    status: str = NOT_RUN
    error: str | None = None
    wrong: bool = False
    seconds: float = 0.0
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass
class Entry:
    """What the ledger says of one job.

    Attributes:
        attempts: how often it was begun.
        ended: how the last attempt ended; None while it runs, or where nobody saw its end.
        handle: the launcher's name for the last attempt, such as the number of a cluster's job.
        seconds: what all attempts took whose ends were seen.
    """

    attempts: int = 0
    seconds: float = 0.0
    ended: Ended | None = None
    handle: str | None = None


class Ledger:
    """The `ledger.jsonl` of a sweep; a torn last line, as a kill leaves it, is passed over.

    The result in a job's own folder counts for more: a job that is completed there is completed.

    Arguments:
        words: the overrides of each job, where they are known: a folder with others is another job's.
    """

    def __init__(self, home: Path, words: Mapping[str, Sequence[str]] = {}) -> None:
        self.home, self._path, self._words = home, home / NAME, words
        self.entries: dict[str, Entry] = {}
        try:
            self._file = self._path.open("ab")
            written = self._path.read_bytes()
        except OSError as error:
            raise ConfigError(f"{self._path} cannot be kept: {os_sentence(error)}") from error
        *lines, rest = written.split(b"\n")
        for line in lines:
            self._take(line)
        if rest:
            self._file.write(b"\n")

    def _take(self, line: bytes) -> None:
        try:
            said = json.loads(line)
            if not all(isinstance(said[key], TYPES[key]) for key in TYPES if key in said):
                return
            if not math.isfinite(said.get("seconds", 0.0)):
                return
            entry = self.entries.setdefault(str(said["job"]), Entry())
            if said["event"] == "begin":
                entry.attempts, entry.ended, entry.handle = entry.attempts + 1, None, said["handle"]
            elif said["event"] == "end":
                entry.ended = Ended(said["status"], said["error"], said["wrong"], said["seconds"])
                entry.seconds += said["seconds"]
        except (ValueError, LookupError, TypeError):
            return

    def of(self, job: str) -> Entry:
        """What is known of a job."""
        return self.entries.get(job, Entry())

    def begin(self, job: str, handle: str | None = None) -> None:
        """An attempt at `job` has begun."""
        self._write(job, "begin", handle=handle)

    def end(self, job: str, ended: Ended) -> None:
        """The attempt at `job` has ended."""
        self._write(
            job, "end", status=ended.status, error=ended.error, wrong=ended.wrong, seconds=ended.seconds
        )

    def _write(self, job: str, event: str, **more: Any) -> None:
        said = {"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "job": job, "event": event, **more}
        line = json.dumps(said).encode()
        self._file.write(line + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._take(line)

    def close(self) -> None:
        self._file.close()

    def state(self, job: str) -> Ended:
        """How the job stands: by the result in its folder, else by the last line about it."""
        ended = self.of(job).ended
        try:
            result = folder.read_result(self.home / job) if (self.home / job).is_dir() else None
        except ConfigError as error:
            return Ended("failed", str(error))
        if result is not None and not set(self._words.get(job, ())) <= set(result.get("overrides", ())):
            return Ended("failed", f"{self.home / job} is the folder of another job", wrong=True)
        if result is not None and (result["status"] == "completed" or ended is None):
            timed = ended is not None and ended.status == result["status"]
            return of_result(result, seconds=ended.seconds if ended is not None and timed else None)
        if ended is not None and ended.status == "completed":
            return Ended(NOT_RUN, "its result is gone")
        if ended is None and self.of(job).handle is not None:
            return Ended(UNDER_WAY)
        return ended or Ended(NOT_RUN if not self.of(job).attempts else "stopped")


def of_result(result: dict[str, Any], wrong: bool = False, seconds: float | None = None) -> Ended:
    """How a job ended, as its own `result.json` says."""
    metrics = {name: value for name, value in result["metrics"].items() if isinstance(value, (int, float))}
    error, took = result.get("error"), result["seconds"] if seconds is None else seconds
    return Ended(result["status"], None if error is None else str(error), wrong, took, metrics)
