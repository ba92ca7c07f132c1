"""The order in which people read names."""

from __future__ import annotations

import re

ENDS = ("_low", "_high")
"""How the ends of a metric's interval are called, behind its name."""


def natural(text: str) -> list[tuple[float, str]]:
    """A sort key under which `lr=2` comes before `lr=10`, and `lr=0.0003` before `lr=0.001`."""
    parts = re.split(r"([0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?)", text)
    return [(float(part), "") if index % 2 else (-1.0, part) for index, part in enumerate(parts)]


def metric(name: str) -> tuple[list[tuple[float, str]], int]:
    """A sort key for metrics: natural, and `x_low` before `x_high`, both directly after `x`."""
    for place, end in enumerate(ENDS, 1):
        if name.endswith(end):
            return natural(name.removesuffix(end)), place
    return natural(name), 0
