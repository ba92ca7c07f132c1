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
