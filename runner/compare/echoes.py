"""Metrics that another says already: the ends of its interval, and the error beside an accuracy."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from runner.compare.differ import matches
from runner.compare.group import Comparison
from runner.order import ENDS

CLOSE = 1e-6


def of_interval(name: str, names: Collection[str]) -> bool:
    """Whether `name` is an end of the interval of another of `names`."""
    return any(name.endswith(end) and name.removesuffix(end) in names for end in ENDS)


def mirror(name: str) -> str | None:
    """The accuracy that an error is 1 less by its name, such as `test/accuracy` for `test/error`."""
    split, _, last = name.rpartition("/")
    return f"{split}/accuracy{last.removeprefix('error')}" if last.startswith("error") else None


def without(comparison: Comparison, metrics: Sequence[str], globs: Sequence[str]) -> list[str]:
    """Final metrics without those that another of them says already, unless one of `globs` names them."""
    return [
        name
        for name in metrics
        if matches(name, globs) or not (of_interval(name, metrics) or _mirrored(comparison, name, metrics))
    ]


def _mirrored(comparison: Comparison, name: str, metrics: Collection[str]) -> bool:
    other = mirror(name)
    if other is None or other not in metrics:
        return False
    found = [run.metrics for run in comparison.runs if name in run.metrics]
    return all(other in one and abs(one[name] + one[other] - 1) <= CLOSE for one in found)
