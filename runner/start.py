"""From a checked configuration to a run, with signals handled; the first place that imports torch."""

from __future__ import annotations

import os
from pathlib import Path

from runner.compose import Composed
from runner.signals import StopRequest


def start(composed: Composed, place: Path | None = None) -> int:
    """Runs `composed` in a new folder, or goes on in `place`; returns the exit code."""
    with StopRequest().listening() as stop:
        os.environ.setdefault("KINETO_LOG_LEVEL", "6")  # else torch's profiler prints lines of its own
        from runner import console
        from runner.run import execute

        console.start()
        return execute(composed, stop, place).code
