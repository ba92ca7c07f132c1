"""CPU cores that this process may use."""

from __future__ import annotations

import os
from pathlib import Path

CPU_SHARE = Path("/sys/fs/cgroup/cpu.max")
"""Microseconds of processor time in a period, and the period, of this process's control group."""


def cores() -> int:
    """CPU cores that this process may use: those it is bound to, and no more than a container's share."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = map(int, CPU_SHARE.read_text().split())
    except (OSError, ValueError):  # no such file, or "max": no bound
        return bound
    return max(1, min(bound, quota // period))


def told() -> int | None:
    """The number of threads that `OMP_NUM_THREADS` asks for; None where it asks for none."""
    text = os.environ.get("OMP_NUM_THREADS", "")
    return int(text) or None if text.isascii() and text.isdigit() else None
