"""Final metrics against a number that was swept: a line for each of what else differs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator, ScalarFormatter

from runner.compare.differ import ABSENT, short_keys, show
from runner.compare.figure import MOST_PANELS, png, style
from runner.compare.group import Comparison, Configuration, Summary

FEWEST = 3
"""Values that make a sweep; two are a comparison."""


@dataclass(frozen=True)
class Swept:
    """A key with the configurations that differ in it.

    Attributes:
        lines: of each combination of the other keys, by its name, the values and configurations in order.
    """

    key: str
    lines: dict[str, list[tuple[float, Configuration]]]


def swept(comparison: Comparison) -> Swept | None:
    """The key whose numbers were swept, of several that with the fewest lines; None where there is none."""
    found = [one for key in comparison.keys if (one := _over(comparison, key)) is not None]
    return min(found, key=lambda one: len(one.lines), default=None)


def _over(comparison: Comparison, key: str) -> Swept | None:
    others = short_keys([other for other in comparison.keys if other != key])
    lines: dict[str, dict[float, Configuration]] = {}
    for group in comparison.configurations:
        value = group.config.get(key, ABSENT)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            return None
        name = ", ".join(
            f"{short}={show(group.config.get(other, ABSENT))}" for other, short in others.items()
        )
        line = lines.setdefault(name, {})
        if float(value) in line:
            return None
        line[float(value)] = group
    if min(map(len, lines.values())) < FEWEST:
        return None
    return Swept(key, {name: sorted(line.items()) for name, line in lines.items()})


def drawn(found: Swept, metrics: Sequence[str]) -> list[str]:
    """The first of the metrics that any run has: those with a panel."""
    return [name for name in metrics if _points(found, name)][:MOST_PANELS]


def draw_against(found: Swept, metrics: Sequence[str]) -> bytes | None:
    """A PNG with a panel for each of the first metrics; None where no run has any of them."""
    shown = drawn(found, metrics)
    if not shown:
        return None
    columns = min(3, math.ceil(math.sqrt(len(shown))))
    rows = math.ceil(len(shown) / columns)
    figure = Figure(figsize=(max(5.2 * columns, 6.0), 3.3 * rows + 0.6), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    grid = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    for axes, metric in zip(grid, shown, strict=False):
        _draw_panel(axes, found, metric)
    for axes in grid[len(shown) :]:
        axes.set_axis_off()
    if len(found.lines) > 1:
        handles, labels = grid[0].get_legend_handles_labels()
        made = figure.legend(
            handles, labels, loc="outside lower center", ncols=min(4, len(labels)), fontsize=9, frameon=False
        )
        for text in made.get_texts():
            text.set_parse_math(False)
    return png(figure)


def _points(found: Swept, metric: str) -> dict[str, list[tuple[float, Summary]]]:
    lines = {
        name: [(x, one) for x, group in line if (one := group.summary(metric)) and not one.partial]
        for name, line in found.lines.items()
    }
    return {name: line for name, line in lines.items() if line}


def _draw_panel(axes: Any, found: Swept, metric: str) -> None:
    lines = _points(found, metric)
    for position, name in enumerate(found.lines):
        if name in lines:
            x, values = zip(*lines[name], strict=True)
            deviations = [value.sd or 0.0 for value in values]
            axes.errorbar(
                x, [value.mean for value in values], deviations if any(deviations) else None, marker="o",
                markersize=4, linewidth=1.6, capsize=3, label=name, **style(position),
            )  # fmt: skip
    axes.set_title(metric, fontsize=10, loc="left", parse_math=False)
    axes.set_xlabel(found.key, fontsize=9, parse_math=False)
    axes.tick_params(labelsize=9)
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.yaxis.set_major_formatter(ScalarFormatter(useOffset=False))
    places = sorted({x for line in found.lines.values() for x, _ in line})
    if places[0] > 0 and places[-1] >= 8 * places[0]:
        axes.set_xscale("log", base=2)
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xticks(places, [f"{place:g}" for place in places])
