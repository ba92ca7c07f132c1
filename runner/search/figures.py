"""What a search found, as pictures: each trial's value, what mattered, and the value against each key."""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, ScalarFormatter

from runner.atomic import write_bytes
from runner.compare.figure import COLOURS
from runner.search.space import Choices, Dimension, Interval, Space, Steps
from runner.search.study import Record, Search, best_record

BLUE, RED, GREEN, GREY = COLOURS[0], COLOURS[1], COLOURS[2], COLOURS[6]
LOOKS: dict[str, dict[str, Any]] = {
    "completed": {"marker": "o", "color": BLUE},
    "pruned": {"marker": "o", "color": GREY, "fillstyle": "none"},
    "unfinished": {"marker": "D", "color": GREY, "fillstyle": "none"},
    "failed": {"marker": "x", "color": RED},
}
ARROWS = "arrow: the value lies beyond"
MOST_BARS = 20
MOST_SLICES = 9
LETTERS = 30


def draw(search: Search) -> list[str]:
    """Writes `history.png`, `slices.png` and `importance.png` into the search's `figures/`.

    Returns a sentence for each that was left out, saying why; an earlier picture of that name is removed.
    """
    folder = search.home / "figures"
    folder.mkdir(exist_ok=True)
    records = search.records()
    write_bytes(folder / "history.png", history(records, search.metric, search.minimise))
    write_bytes(folder / "slices.png", slices(records, search.space, search.metric, search.minimise))
    try:
        write_bytes(folder / "importance.png", importance(search.importances(), search.metric))
    except ValueError as error:
        (folder / "importance.png").unlink(missing_ok=True)
        return [f"no figures/importance.png: {error}"]
    return []


def history(records: Sequence[Record], metric: str, minimise: bool) -> bytes:
    """A PNG of each trial's value by its number, and of the best value so far."""
    figure = _figure(8.0, 4.6)
    axes = figure.subplots()
    marks = Marks(axes, records, minimise)
    marks.scatter([float(record.trial.number) for record in records])
    marks.best_so_far()
    _bare(axes, "trial")
    margin = 0.5 + 0.02 * len(records)
    axes.set_xlim(-margin, max(len(records), 1) - 1 + margin)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True, min_n_ticks=1))
    axes.set_ylabel(_axis(metric, minimise), fontsize=9, parse_math=False)
    _legend(figure, axes, [ARROWS] * marks.beyond)
    return _png(figure)


def slices(records: Sequence[Record], space: Space, metric: str, minimise: bool) -> bytes:
    """A PNG with a panel for each key that is searched: the trials' values against what was chosen for it."""
    shown = list(space.dimensions.items())[:MOST_SLICES]
    columns = min(3, len(shown)) if len(shown) != 4 else 2
    rows = math.ceil(len(shown) / columns)
    figure = _figure(max(3.6 * columns, 6.0), 3.0 * rows + 0.8)
    grid = np.atleast_1d(figure.subplots(rows, columns, sharey=True)).ravel()
    for axes, (key, dimension) in zip(grid, shown, strict=False):
        marks = Marks(axes, records, minimise)
        marks.scatter(_positions(records, key, dimension))
        marks.ring(_positions(records, key, dimension))
        _bare(axes, _short_end(key))
        scale(axes, dimension)
    for axes in grid[len(shown) :]:
        axes.set_axis_off()
    left_out = len(space.dimensions) - len(shown)
    figure.supylabel(_axis(metric, minimise), fontsize=9, parse_math=False)
    notes = [ARROWS] * marks.beyond + [f"{left_out} more keys are not shown"] * (left_out > 0)
    _legend(figure, grid[0], notes)
    return _png(figure)


def importance(shares: Mapping[str, float], metric: str) -> bytes:
    """A PNG with a bar for each key: its share in what sets the best trials apart."""
    shown = list(shares.items())[:MOST_BARS][::-1]
    figure = _figure(8.0, 0.32 * len(shown) + 1.2)
    axes = figure.subplots()
    bars = axes.barh(range(len(shown)), [share for _, share in shown], color=BLUE, height=0.6)
    axes.bar_label(bars, [f"{share:.2f}" for _, share in shown], padding=4, fontsize=9)
    _bare(axes, f"importance for {_short(metric)}")
    axes.grid(axis="y", visible=False)
    axes.set_yticks(range(len(shown)), [_short_end(key) for key, _ in shown], parse_math=False)
    axes.set_xlim(0, 1.12 * max(share for _, share in shown))
    return _png(figure)


class Marks:
    """Trials as marks in matplotlib's `axes`, which show the range of most values.

    What lies beyond is an arrow at that edge; a trial without a value, as a failed one, is at the edge of the
    worse values.
    """

    def __init__(self, axes: Any, records: Sequence[Record], minimise: bool) -> None:
        self.axes, self.records, self.minimise, self.beyond = axes, records, minimise, False
        # a pruned trial's value is that of an early step, and says little beside those of the end
        values = _values(records, ("completed",)) or _values(records, ("pruned", "unfinished"))
        self.low, self.high = shown_range(values, minimise)
        edge = 0.03 * (self.high - self.low)  # so that no mark is cut
        axes.set_ylim(self.low - edge, self.high + edge)
        axes.yaxis.set_major_formatter(ScalarFormatter(useOffset=False))
        if not values:
            axes.set_yticks([])
            axes.text(0.5, 0.5, "no trial has a value", ha="center", transform=axes.transAxes, fontsize=9)

    def scatter(self, places: Sequence[float]) -> None:
        """Draws the trials at `places`, one for each of them."""
        for state, look in LOOKS.items():
            own = [(x, r.value) for x, r in zip(places, self.records, strict=True) if r.state == state]
            if own:
                self._draw(own, {**look, "linestyle": "none", "markersize": 5, "alpha": 0.8}, state)

    def _draw(self, own: Sequence[tuple[float, float | None]], look: dict[str, Any], state: str) -> None:
        """Marks of one state, with one entry in the legend."""
        given = [(x, math.nan if value is None or state == "failed" else value) for x, value in own]
        inside = [(x, value) for x, value in given if self.low <= value <= self.high]
        outside = [(x, value) for x, value in given if not self.low <= value <= self.high]
        self.axes.plot(*_columns(inside), label=f"{state} ({len(own)})", zorder=3, **look)
        for x, value in outside:
            y, shape = self._edge(value)
            self.axes.plot([x], [y], transform=self.axes.get_xaxis_transform(), zorder=4, **look | shape)

    def _edge(self, value: float) -> tuple[float, dict[str, str]]:
        """Height and, where it has a value, mark of what cannot be shown at its place."""
        if math.isnan(value):
            return (0.975 if self.minimise else 0.025), {}
        self.beyond = True
        return (0.975, {"marker": "^"}) if value > self.high else (0.025, {"marker": "v"})

    def ring(self, places: Sequence[float]) -> None:
        """Marks the best trial."""
        if (best := best_record(self.records, self.minimise)) is not None:
            look = {"marker": "o", "color": GREEN, "fillstyle": "none", "linestyle": "none"}
            self.axes.plot(
                [places[self.records.index(best)]], [best.value], label=_named(best), zorder=5,
                markersize=10, markeredgewidth=2, **look,
            )  # fmt: skip

    def best_so_far(self) -> None:
        """Draws the best completed value up to each trial, as steps."""
        if (best := best_record(self.records, self.minimise)) is None:
            return
        running = np.fmin.accumulate if self.minimise else np.fmax.accumulate
        values = running([_completed(record) for record in self.records])
        numbers = [record.trial.number for record in self.records]
        look = {"color": GREEN, "linewidth": 1.6, "zorder": 2}
        self.axes.step(numbers, values, where="post", label=_named(best), **look)


def _completed(record: Record) -> float:
    """Its value, NaN if it is not completed."""
    return record.value if record.state == "completed" and record.value is not None else math.nan


def _named(best: Record) -> str:
    return f"best: {best.trial.name}, {best.value:.6g}"


def shown_range(values: Sequence[float], minimise: bool) -> tuple[float, float]:
    """The range of an axis for finite `values`, with a margin: the best to the worst.

    Bad values that lie far beyond the other three quarters are left outside: a trial that explodes says no
    more than that it did.
    """
    if not values:
        return 0.0, 1.0
    losses = np.sort(np.asarray(values) * (1 if minimise else -1))
    best, worst = losses[0], losses[-1]
    usual = best + 8 * (losses[(3 * (len(losses) - 1)) // 4] - best)
    if best < usual and worst - best > 1.5 * (usual - best):
        worst = losses[losses <= usual][-1]
    margin = 0.08 * (worst - best) or 0.1 * abs(best) or 1.0
    ends = float(best - margin), float(worst + margin)
    return ends if minimise else (-ends[1], -ends[0])


def _values(records: Sequence[Record], states: Sequence[str]) -> list[float]:
    """The finite values of trials in one of the states."""
    values = [record.value for record in records if record.state in states and record.value is not None]
    return [value for value in values if math.isfinite(value)]


def _positions(records: Sequence[Record], key: str, dimension: Dimension) -> list[float]:
    """Where each trial lies along a key."""
    if not isinstance(dimension, Choices):
        return [float(record.values[key]) for record in records]
    return [float(dimension.texts.index(record.values[key])) for record in records]


def scale(axes: Any, dimension: Dimension) -> None:
    """Makes the x axis that of a key: all that could be chosen, by logarithms where those were searched."""
    if isinstance(dimension, Choices):
        _choices(axes, dimension.texts)
        return
    low, high = _ends(dimension)
    if isinstance(dimension, Interval) and dimension.log:
        axes.set_xscale("log")
        factor = (high / low) ** 0.05
        axes.set_xlim(low / factor, high * factor)
        return
    axes.set_xlim(low - 0.05 * (high - low), high + 0.05 * (high - low))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=isinstance(low, int)))
    if isinstance(dimension, Steps) and dimension.count <= 6:
        axes.set_xticks([dimension[i] for i in range(dimension.count)])


def _ends(dimension: Steps | Interval) -> tuple[float, float]:
    if isinstance(dimension, Interval):
        return dimension.low, dimension.high
    low, high = sorted((dimension[0], dimension[dimension.count - 1]))
    return low, high


def _choices(axes: Any, texts: Sequence[str]) -> None:
    crowded = sum(len(text) for text in texts) > 24
    look = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if crowded else {}
    names = [_short(re.sub(r"\\(.)", r"\1", text), 16) for text in texts]  # Hydra's escapes
    axes.set_xticks(range(len(texts)), names, parse_math=False, **look)
    axes.set_xlim(-0.6, len(texts) - 0.4)


def _short(text: str, letters: int = LETTERS) -> str:
    return text if len(text) <= letters else text[: letters - 1] + "…"


def _short_end(key: str) -> str:
    """A key without its beginning where it is long: the end tells keys apart."""
    return key if len(key) <= LETTERS else "…" + key[1 - LETTERS :]


def _axis(metric: str, minimise: bool) -> str:
    return f"{_short(metric)} ({'less' if minimise else 'more'} is better)"


def _bare(axes: Any, label: str) -> None:
    axes.set_xlabel(label, fontsize=9, parse_math=False)
    axes.tick_params(labelsize=9)
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def _columns(points: Sequence[tuple[float, Any]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]


def _legend(figure: Figure, axes: Any, notes: Sequence[str]) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.legend(
            handles, labels, loc="outside lower center", ncols=3, fontsize=9, frameon=False,
            title=" · ".join(notes), title_fontproperties={"size": 8.5},
        )  # fmt: skip


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _png(figure: Figure) -> bytes:
    target = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # drawn as boxes
        figure.savefig(target, format="png")
    return target.getvalue()
