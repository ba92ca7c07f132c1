"""Child processes that neither outlive this one nor hear its terminal."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import IO, Any

PR_SET_PDEATHSIG = 1
RUN = (sys.executable, "-P", "-m", "runner")
"""`run`, in whatever folder: -P keeps a `runner` that lies there from being taken for ours."""


def start(
    command: Sequence[str],
    environment: Mapping[str, str | None],
    stdout: int | IO[Any] | None,
    stderr: int | IO[Any] | None,
) -> subprocess.Popen[bytes]:
    """Starts `command` in a session of its own, which a terminal's Ctrl-C does not reach; it dies with us.

    A variable of `environment` that is None is removed.
    """
    values = {**os.environ, **environment}
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        env={name: value for name, value in values.items() if value is not None},
        start_new_session=True,
        preexec_fn=lambda: die_with_parent(signal.SIGKILL),
    )


def die_with_parent(number: int) -> None:
    """Has the system send this process a signal when its parent ends (on Linux; elsewhere nothing)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)


def ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether the process has ended, or does so in time."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    return process.returncode is not None
