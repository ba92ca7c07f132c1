"""Curves overlaid in one picture: a panel per metric, a line and a band per configuration."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, ScalarFormatter

from runner.compare.curves import Band, Curve, make_band
from runner.compare.group import Comparison
from runner.compare.panels import Line, Panel, Seed

# Okabe and Ito's colours, three of them darkened to a contrast of 3 with white as on the page, then grey;
# after seven configurations the dashes change.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#C2669A", "#C98500", "#3399D6", "#6E6E6E")
DASHES: tuple[Any, ...] = ("solid", (0, (6, 2)), (0, (1.5, 1.5)), (0, (7, 2, 1.5, 2)))
SHAPES = ("o", "s", "^", "D")
MOST_PANELS = 12
MOST_LEGEND = 42
MOST_TICKS = 12
LONGEST_TICK = 24


def draw(panels: Sequence[Panel], comparison: Comparison, log: bool, log_x: bool) -> bytes:
    """A PNG of at most `MOST_PANELS` panels; what was left out is written below them."""
    shown = panels[:MOST_PANELS]
    columns = min(3, math.ceil(math.sqrt(len(shown)))) or 1
    rows = math.ceil(len(shown) / columns) or 1
    legend = _legend(comparison, columns)
    height = 3.3 * rows + 0.22 * math.ceil(len(legend) / _legend_columns(legend, columns)) + 0.6
    figure = Figure(figsize=(max(5.2 * columns, 7.0), height), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    grid = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    names = [group.name for group in comparison.configurations]
    for axes, panel in zip(grid, shown, strict=False):
        if panel.points == 1:
            draw_points(axes, panel, names, log)
        else:
            draw_panel(axes, panel, log, log_x)
    for axes in grid[len(shown) :]:
        axes.set_axis_off()
    _draw_legend(figure, legend, columns, _explanation(panels, comparison))
    return png(figure)


def style(position: int) -> dict[str, Any]:
    """Colour and dashes of the configuration at a position of the comparison."""
    turn, colour = divmod(position, len(COLOURS))
    return {"color": COLOURS[colour], "linestyle": DASHES[turn % len(DASHES)]}


def shape(position: int) -> str:
    """Marker of the configuration at a position, where one point has no dashes to know it by."""
    return SHAPES[position // len(COLOURS) % len(SHAPES)]


def draw_panel(axes: Any, panel: Panel, log: bool, log_x: bool) -> None:
    """Draws a metric's lines, bands and single runs into matplotlib's `axes`."""
    lowest = _lowest(panel, "values")
    floor = lowest if log and lowest > 0 else -math.inf
    for position, line in panel.lines.items():
        alpha = 0.2 if len(panel.lines) < 8 else 0.1
        _draw_band(axes, line, style(position), shape(position), floor, alpha)
        _draw_singles(axes, line, style(position)["color"])
    _set_out(axes, panel, log)
    axes.set_xlabel("step", fontsize=9)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    if log_x:
        axes.set_xscale("log" if _lowest(panel, "steps") > 0 else "symlog")


def draw_points(axes: Any, panel: Panel, names: Sequence[str], log: bool) -> None:
    """Draws a metric of which every run has one value: a column for each configuration, by its name."""
    for column, (position, line) in enumerate(panel.lines.items()):
        colour, marks = style(position)["color"], {"failed": "x", "completed": "."}
        for seed in line.seeds:
            mark = marks.get(seed.run.status, "o")
            axes.plot(column, seed.curve.values[-1], mark, color=colour, alpha=0.7, fillstyle="none")
        if (band := line.band or _at_once(line)) is not None:
            mean, reach = band.mean, band.reach
            bar = None if reach is None else [mean - reach[0], reach[1] - mean]
            axes.errorbar([column], mean, bar, fmt=shape(position), color=colour, markersize=5, capsize=4)
    _set_out(axes, panel, log)
    shown = [_shortened(names[position], LONGEST_TICK) for position in panel.lines]
    if len(shown) > MOST_TICKS:  # the legend tells them apart
        axes.set_xticks([])
    else:
        turned = {"rotation": 20, "ha": "right"} if sum(map(len, shown)) > LONGEST_TICK else {}
        axes.set_xticks(range(len(shown)), shown, parse_math=False, **turned)
    axes.set_xlim(-0.6, len(shown) - 0.4)


def _at_once(line: Line) -> Band | None:
    """The mean of single values wherever they stand: runs may have ended at other steps."""
    return make_band([Curve(np.zeros(1), seed.curve.values) for seed in line.seeds if seed.counted])


def _set_out(axes: Any, panel: Panel, log: bool) -> None:
    """What panels of curves and of points have in common."""
    axes.set_title(panel.title, fontsize=10, loc="left", parse_math=False)
    axes.tick_params(labelsize=9)
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.yaxis.set_major_formatter(ScalarFormatter(useOffset=False))
    if log and _lowest(panel, "values") > 0:
        axes.set_yscale("log")
    elif log:
        axes.set_title("linear: not all positive", fontsize=8, loc="right", color="#6E6E6E")


def _shortened(name: str, letters: int) -> str:
    return name if len(name) <= letters else name[: letters - 1] + "…"


def _draw_band(axes: Any, line: Line, look: dict[str, Any], point: str, floor: float, alpha: float) -> None:
    band = line.band
    if band is None:
        return
    marker = point if len(band.steps) == 1 else None
    axes.plot(band.steps, band.mean, linewidth=1.6, marker=marker, markersize=4, zorder=3, **look)
    if band.reach is None:
        return
    low, high = band.reach
    if marker:
        bar = [band.mean - low, high - band.mean]
        axes.errorbar(band.steps, band.mean, bar, color=look["color"], capsize=4, linewidth=1.2)
    else:
        # on a logarithmic axis a band that reaches below zero ends at the lowest value there is
        low = np.maximum(low, floor)
        axes.fill_between(band.steps, low, high, color=look["color"], alpha=alpha, linewidth=0)


def _draw_singles(axes: Any, line: Line, colour: str) -> None:
    for curve in filter(None, (_single(line, seed) for seed in line.seeds)):
        axes.plot(curve.steps, curve.values, linewidth=0.8, color=colour, alpha=0.8, zorder=2)
    for seed in line.seeds:
        if seed.run.status != "completed":
            end = seed.curve.steps[-1:], seed.curve.values[-1:]
            mark = "x" if seed.run.status == "failed" else "o"
            axes.plot(*end, mark, color=colour, markersize=5, fillstyle="none", zorder=4)


def _single(line: Line, seed: Seed) -> Curve | None:
    """What the mean does not contain of a run: all of it, or what comes after the mean's last step."""
    if not seed.counted or line.band is None:
        return seed.curve
    rest = seed.curve.after(line.band.steps[-1])
    return rest if len(rest.steps) > 1 else None


def _legend(comparison: Comparison, columns: int) -> list[tuple[Line2D, str]]:
    letters = 40 * columns
    repeated = len(comparison.configurations) > len(COLOURS)
    entries = []
    for position, group in enumerate(comparison.configurations[:MOST_LEGEND]):
        name = _shortened(group.name, letters)
        n = f" (n={len(group.counted)})" if len(group.runs) > 1 else ""
        # matplotlib drops labels that begin with an underscore
        label = f"{name}{n}".replace("_", " _", name[:1] == "_")
        marker = shape(position) if repeated else None
        entries.append((Line2D([], [], linewidth=2, marker=marker, markersize=5, **style(position)), label))
    return entries


def _legend_columns(legend: Sequence[tuple[Line2D, str]], columns: int) -> int:
    longest = max((len(label) for _, label in legend), default=1)
    return max(1, min(len(legend), int(max(5.2 * columns, 7.0) / (0.085 * longest + 0.6))))


def _draw_legend(figure: Figure, legend: list[tuple[Line2D, str]], columns: int, explanation: str) -> None:
    handles, labels = zip(*legend, strict=True)
    made = figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=_legend_columns(legend, columns),
        fontsize=9,
        frameon=False,
        handlelength=3.2,
        title=explanation,
        title_fontproperties={"size": 8.5},
    )
    for text in made.get_texts():
        text.set_parse_math(False)


def _explanation(panels: Sequence[Panel], comparison: Comparison) -> str:
    shown = panels[:MOST_PANELS]
    lines = [line for panel in shown for line in panel.lines.values()]
    curves = [line for panel in shown if panel.points > 1 for line in panel.lines.values()]
    means = [one.band or _at_once(one) for one in lines] if not curves else [one.band for one in curves]
    words = []
    line, band = ("line", "band") if curves else ("point", "bar")
    if any(mean is not None and mean.n > 1 for mean in means):
        words.append(f"{line} and {band}: mean and standard deviation of n runs")
    if any(one.band is not None and one.band.ends is not None for one in lines):
        words.append(f"{band} of a single run: its 95 % interval")
    if any(_single(one, seed) for one in curves for seed in one.seeds):
        words.append("thin: single runs outside the mean")
    if any(seed.run.status != "completed" for one in lines for seed in one.seeds):
        words.append("x failed, o unfinished")
    if len(panels) > MOST_PANELS:
        words.append(f"{MOST_PANELS} of {len(panels)} metrics")
    if len(comparison.configurations) > MOST_LEGEND:
        words.append(
            f"{len(comparison.configurations) - MOST_LEGEND} more configurations are not in the legend"
        )
    if not panels:
        words.append("these runs have logged nothing to draw")
    return " · ".join(words)


def _lowest(panel: Panel, what: str) -> float:
    return float(min(getattr(seed.curve, what).min() for line in panel.lines.values() for seed in line.seeds))


def png(figure: Figure) -> bytes:
    """A figure as the content of a PNG file."""
    target = io.BytesIO()
    with warnings.catch_warnings():
        # a name in a script that the font lacks is drawn as boxes; the table and the page have it right
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(target, format="png")
    return target.getvalue()
