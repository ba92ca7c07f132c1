"""From a checked configuration to a run, with signals handled; the first place that imports torch."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from runner import team
from runner.compose import Composed
from runner.signals import StopRequest
from runner.world import world


def start(composed: Composed, words: Sequence[str], place: Path | None = None) -> int:
    """Runs `composed` in a new folder, or goes on in `place`; returns the exit code.

    `words` are those of the command, for the processes of a run that has several.
    """
    if team.wanted(composed):
        return team.several(words, composed)
    with StopRequest().listening() as stop:
        os.environ.setdefault("KINETO_LOG_LEVEL", "6")  # else torch's profiler prints lines of its own
        if world() > 1:
            os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # else it says what a run need not know
        from runner import console
        from runner.run import execute

        console.start()
        code = execute(composed, stop, place).code
        if world() > 1:
            _end_at_once(code)
        return code


def _end_at_once(code: int) -> NoReturn:
    """Ends a process of a team without taking torch's threads down one by one, which now and then aborts:
    `terminate called without an active exception`, about one time in ten where processors are busy."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
