"""What a person sees while a stage trains: a bar on a terminal, a line per interval elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping

from tqdm import tqdm

from runner import order

log = logging.getLogger("reclaim")


class Progress:
    """Shows steps, speed and the latest metrics of one stage."""

    def __init__(self, stage: str, start: int, total: int) -> None:
        self.stage, self.total = stage, total
        self._began, self._first = time.perf_counter(), start
        self._bar = tqdm(
            total=total,
            initial=start,
            desc=stage,
            unit="step",
            dynamic_ncols=True,
            leave=False,
            disable=not sys.stderr.isatty(),
        )

    def advance(self) -> None:
        """One step is done."""
        self._bar.update()

    def show(self, step: int, metrics: Mapping[str, float]) -> None:
        """The metrics of an interval: behind the bar, or as a line of the log."""
        shown = "  ".join(f"{name} {number(value)}" for name, value in metrics.items())
        if self._bar.disable:
            log.info("%s %d/%d  %s  (%s)", self.stage, step, self.total, shown, self._left(step))
        else:
            self._bar.set_postfix_str(shown, refresh=False)
            log.debug("%s %d/%d  %s", self.stage, step, self.total, shown)

    def _left(self, step: int) -> str:
        passed = time.perf_counter() - self._began
        rate = passed / max(step - self._first, 1)
        return f"{duration(rate * (self.total - step))} left"

    def close(self) -> None:
        self._bar.close()


def line(metrics: Mapping[str, float]) -> str:
    """Metrics in one line, in the order of their names."""
    return "  ".join(f"{name} {number(metrics[name])}" for name in sorted(metrics, key=order.metric))


def number(value: float) -> str:
    """A number short enough for a line: four significant digits."""
    return f"{value:.4g}" if abs(value) < 1e5 else f"{value:.3e}"


def duration(seconds: float) -> str:
    """Seconds as a person would say them."""
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
