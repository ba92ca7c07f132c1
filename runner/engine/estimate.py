"""How long a run will take, said early where that is long."""

from __future__ import annotations

import logging
import threading
import time

from runner.engine.context import Context
from runner.engine.progress import duration

log = logging.getLogger("reclaim")
LONG = 30 * 60.0
PATIENCE = 10.0
"""Seconds without a step after which a person wants to know why."""


class Estimate:
    """Says after the first steps how long a run will take, and names smaller settings if that is long."""

    def __init__(self, steps: int, context: Context) -> None:
        self.steps, self.context, self._times = steps, context, [time.perf_counter()]
        self._waiting = threading.Timer(PATIENCE, self._wait)
        self._waiting.daemon = True
        self._waiting.start()

    def close(self) -> None:
        """Says nothing more."""
        self._waiting.cancel()

    def step(self) -> None:
        if len(self._times) > 3:
            return
        self.close()
        self._times.append(time.perf_counter())
        slow = self._times[-1] - self._times[0] > 20
        if len(self._times) == 4 or slow:
            self._times += [0.0] * 4
            self._say()

    def _say(self) -> None:
        times = [t for t in self._times if t]
        rate = (times[-1] - times[-2]) if len(times) > 1 else 0.0
        total = rate * self.steps
        limit = self.context.trainer.max_minutes
        if total < LONG or (limit is not None and 60 * limit < LONG):
            return
        pace = f"{rate:.3g} s a step"
        log.info("about %s on %s at %s%s", duration(total), self.context.device, pace, self._hint())

    def _hint(self) -> str:
        smaller = ", ".join(f"run {words}" for words in self.context.smaller)
        return f"; smaller settings: {smaller}" if smaller else ""

    def _wait(self) -> None:
        log.info("the first step takes its time on this %s%s", self.context.device, self._hint())
