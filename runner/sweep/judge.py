"""How a job ended, from what its process and its folder say."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from runner import folder
from runner.engine.progress import duration
from runner.errors import ConfigError
from runner.sweep.attendant import Verdict
from runner.sweep.ledger import Ended, of_result

UNSEEN = "its process ended unseen"
"""The error of a job whose process was gone, with whoever watched it, before it could say anything."""

Stamp = tuple[int, int] | None


def stamp(place: Path) -> Stamp:
    """Tells two writings of a job's result from each other."""
    try:
        found = os.stat(place / folder.RESULT)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino


def judge(place: Path, before: Stamp, verdict: Verdict, limit: float | None) -> Ended:
    """How the attempt ended.

    Arguments:
        before: `stamp` of the job's folder when the attempt began.
        limit: seconds that an attempt may take.
    """
    try:
        result = folder.read_result(place)
    except ConfigError as error:
        return Ended("failed", str(error), seconds=verdict.seconds)
    if result is not None and result["status"] == "completed":
        return of_result(result, seconds=verdict.seconds or None)
    fresh = result if stamp(place) != before else None
    if verdict.late:
        return told(place, Ended("failed", _late(verdict, fresh, limit), seconds=verdict.seconds))
    if verdict.asked:
        return Ended("stopped", "stopped with the sweep", seconds=verdict.seconds)
    if fresh is not None:
        return of_result(fresh, verdict.code == 2, verdict.seconds or None)
    if verdict.said is not None:
        return Ended("failed", verdict.said, verdict.code == 2, verdict.seconds)
    return told(place, Ended("failed", _crash(verdict), seconds=verdict.seconds))


def pruned(place: Path, ended: Ended) -> Ended:
    """Has the job's own result say why it was stopped, too."""
    with suppress(ConfigError, OSError):
        result = folder.read_result(place)
        if result is not None:
            folder.write_result(place, {**result, "error": f"pruned: {ended.error}"})
    return told(place, ended)


def told(place: Path, ended: Ended) -> Ended:
    """Writes into the job's own log what it could not write there itself."""
    with suppress(OSError), (place / "run.log").open("a", encoding="utf-8") as file:
        file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} ERROR {ended.status}: {ended.error}\n")
    return ended


def _late(verdict: Verdict, fresh: dict[str, Any] | None, limit: float | None) -> str:
    over = f"took longer than {duration(limit or verdict.seconds)}"
    if fresh is not None:
        return f"{over}; saved at step {fresh['steps']:,}"
    return f"{over} and did not stop{_at(verdict)}"


def _crash(verdict: Verdict) -> str:
    if verdict.code is None:
        return UNSEEN
    if verdict.code >= 0:
        return f"ended with exit code {verdict.code} and no result"
    try:
        name = signal.Signals(-verdict.code).name
    except ValueError:
        name = f"signal {-verdict.code}"
    memory = " (the system does so when memory runs out)" if name == "SIGKILL" else ""
    return f"killed by {name}{memory}{_at(verdict)}"


def _at(verdict: Verdict) -> str:
    return f" ({verdict.where})" if verdict.where else ""
