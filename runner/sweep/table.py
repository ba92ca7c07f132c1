"""What a person reads at the end of a sweep."""

from __future__ import annotations

import logging
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from runner.engine.progress import duration
from runner.sweep.ledger import NOT_RUN, Ended, Entry, Ledger

log = logging.getLogger("reclaim")
STATUSES = ("completed", "pruned", "failed", "stopped", "under way", "not run")
MANY = 20
LONGEST_ERROR = 120
COLUMNS = ("job", "status", "tries", "metric", "time", "error")


def print_table(
    names: Sequence[str],
    ledger: Ledger,
    labels: Mapping[str, str] = {},
    metric: str | None = None,
    failed: Mapping[str, str] = {},
) -> list[Ended]:
    """One row for each job, then how many there are of each status; returns how each job stands.

    Arguments:
        labels: what jobs are called in the table, where that is not their name.
        metric: what is shown of each; None shows the first of the test part.
        failed: jobs that count as failed whatever became of their runs, and why.
    """
    states = [_state(name, ledger, failed) for name in names]
    rows = [COLUMNS]
    for name, state in zip(names, states, strict=True):
        if state.status == NOT_RUN and len(names) > MANY:  # their number says enough
            continue
        rows.append((labels.get(name, name), *_cells(state, ledger.of(name), metric)))
    kept = [
        i
        for i, column in enumerate(COLUMNS)
        if column != "tries" or any(_tries(ledger, n) > 1 for n in names)
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    log.info("")
    for row in rows:
        log.info("  ".join(row[i].ljust(widths[i]) for i in kept).rstrip())
    log.info("%s", _summary(states))
    _name_logs(names, states, ledger.home)
    return states


def _state(name: str, ledger: Ledger, failed: Mapping[str, str]) -> Ended:
    state = ledger.state(name)
    return replace(state, status="failed", error=failed[name], metrics={}) if name in failed else state


def _cells(ended: Ended, entry: Entry, metric: str | None) -> tuple[str, str, str, str, str]:
    seconds = max(ended.seconds, entry.seconds)  # of all tries
    time = duration(seconds) if seconds >= 120 else f"{seconds:.1f} s"
    error = textwrap.shorten(ended.error or "", LONGEST_ERROR, placeholder=" ...")
    return ended.status, str(entry.attempts), metric_of(ended.metrics, metric), time, error


def _tries(ledger: Ledger, name: str) -> int:
    return ledger.of(name).attempts


def _summary(states: Sequence[Ended]) -> str:
    counts = Counter(ended.status for ended in states)
    parts = [f"{counts[status]} {status}" for status in STATUSES if counts[status]]
    return f"{len(states)} job{'s' if len(states) != 1 else ''}: {', '.join(parts)}"


def _name_logs(names: Sequence[str], states: Sequence[Ended], home: Path, most: int = 5) -> None:
    failed = [name for name, ended in zip(names, states, strict=True) if ended.status == "failed"]
    for name in failed[:most]:
        if (log_file := home / name / "run.log").is_file():
            log.info("log:     %s", log_file)


def metric_of(metrics: Mapping[str, float], wanted: str | None = None) -> str:
    """The wanted metric; where none is, the first of the test part, of the validation part, or of all."""
    if wanted is not None:
        return f"{wanted} {_shown(metrics[wanted])}" if wanted in metrics else "-"
    for split in ("test/", "validation/", ""):
        for name, value in metrics.items():
            if name.startswith(split):
                return f"{name} {_shown(value)}"
    return "-"


def _shown(value: float) -> str:
    """Four decimals, or three digits of what is too small for them."""
    return f"{value:.4f}" if value == 0 or abs(value) >= 1e-3 else f"{value:.3g}"
