"""Numbers, states and times in as few letters as they need."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from runner.compare.group import Summary
from runner.compare.load import Run


def show_summary(summary: Summary | None) -> str:
    """`1.982 ± 0.012 (3)`: mean, standard deviation to two digits, number of runs."""
    if summary is None:
        return "-"
    star = "*" if summary.partial else ""
    if summary.of == 1:
        return show_number(summary.mean) + star
    if summary.sd is None:
        return f"{show_number(summary.mean)} (1){star}"
    return f"{show_mean(summary.mean, summary.sd)} ({summary.n}){star}"


def show_mean(mean: float, sd: float) -> str:
    """Mean and standard deviation to the same decimal place, the second with two digits."""
    if not sd:
        return f"{show_number(mean)} ± 0"
    decimals = 1 - math.floor(math.log10(sd))
    if decimals > 6 or abs(mean) >= 1e6:
        return f"{mean:.4g} ± {sd:.2g}"
    decimals = max(decimals, 0)
    return f"{mean:.{decimals}f} ± {sd:.{decimals}f}"


def show_number(value: float) -> str:
    return f"{value:.5g}"


def show_value(run: Run, metric: str) -> str:
    """A run's final metric, with a star where the run is not completed."""
    value = run.metrics.get(metric)
    return "-" if value is None else show_number(value) + "*" * (run.status != "completed")


def show_status(runs: Sequence[Run]) -> str:
    """`completed` for one run; for several, how many there are of each."""
    counts = Counter(run.status for run in runs)
    return runs[0].status if len(runs) == 1 else ", ".join(f"{n} {status}" for status, n in counts.items())


def show_steps(runs: Sequence[Run]) -> str:
    steps = sorted({run.steps for run in runs if run.steps is not None})
    return "-" if not steps else str(steps[0]) if len(steps) == 1 else f"{steps[0]}-{steps[-1]}"


def show_time(runs: Sequence[Run]) -> str:
    """The mean time of runs, in two units at most."""
    known = [run.seconds for run in runs if run.seconds is not None]
    if not known:
        return "-"
    seconds = sum(known) / len(known)
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return (
        f"{int(seconds // 60)} min {int(seconds % 60)} s"
        if minutes < 60
        else f"{minutes // 60} h {minutes % 60} min"
    )
