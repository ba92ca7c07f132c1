"""How long a run will take, said early where that is long."""

from __future__ import annotations

import logging
import time

from runner.engine.context import Context
from runner.engine.progress import duration

log = logging.getLogger("reclaim")
LONG = 30 * 60.0


class Estimate:
    """Says after the first steps how long a run will take, and names smaller settings if that is long."""

    def __init__(self, steps: int, context: Context) -> None:
        self.steps, self.context, self._times = steps, context, [time.perf_counter()]

    def step(self) -> None:
        if len(self._times) > 3:
            return
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
        smaller = ", ".join(f"run experiment={name}" for name in self.context.smaller)
        hint = f"; smaller settings: {smaller}" if smaller else ""
        log.info("about %s on %s at %s a step%s", duration(total), self.context.device, f"{rate:.3g} s", hint)
