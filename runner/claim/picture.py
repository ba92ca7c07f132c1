"""The picture of a verdict: what each arm came to, seed by seed, and the intervals beside what was wanted."""

from __future__ import annotations

import io
import math
import re
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from runner import atomic
from runner.compare.figure import COLOURS

VERDICTS = {
    "reproduced": "#00734F",
    "not reproduced": "#B23A00",
    "inconclusive": "#6E6E6E",
    "not run": "#6E6E6E",
}
"""A colour for each verdict; its word stands beside it everywhere."""

SWEPT = re.compile(r"(.+)@(.+)")
NOWHERE = "no crossing in a place that seeds agree on"
NUMBER = r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?"


def draw(made: Mapping[str, Any], path: Path) -> None:
    """Writes the picture of a verdict's record to `path`, whole or not at all."""
    metrics = list(dict.fromkeys(name for arm in made["arms"].values() for name in arm["values"]))
    findings = made["findings"]
    if not metrics:
        path.unlink(missing_ok=True)  # that of an earlier verdict says nothing any more
        return
    heights = [2.4] * len(metrics) + [0.75] * len(findings)
    figure = Figure(figsize=(7.2, sum(heights) + 0.6), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = np.atleast_1d(figure.subplots(len(heights), 1, height_ratios=heights)).ravel()
    for one, metric in zip(axes, metrics, strict=False):
        _draw_arms(one, metric, made["arms"])
    for one, found in zip(axes[len(metrics) :], findings, strict=True):
        if found["form"] == "crossing":
            _draw_crossing(one, found, made["arms"])
        else:
            _draw_finding(one, found)
    figure.suptitle(
        f"{made['name']}: {made['verdict']}", fontsize=11, color=VERDICTS[made["verdict"]], parse_math=False
    )
    out = io.BytesIO()
    figure.savefig(out, format="png", metadata={"Software": None})
    atomic.write_bytes(path, out.getvalue())


def _draw_arms(axes: Any, metric: str, arms: Mapping[str, Any]) -> None:
    """Dots for seeds and a bar for their mean; over a swept quantity, lines through the means."""
    values = {arm: one["values"][metric] for arm, one in arms.items() if metric in one["values"]}
    curves: dict[str, dict[float, list[float]]] = {}
    for arm in [arm for arm in values if SWEPT.fullmatch(arm)]:
        name, place = SWEPT.fullmatch(arm).groups()  # type: ignore[union-attr]
        curves.setdefault(name, {})[float(place)] = values.pop(arm)
    if curves and not values:
        _draw_curves(axes, curves)
        axes.set_xlabel(_swept_key(arms), fontsize=9, parse_math=False)
    else:
        flat = {**values, **{f"{n}@{x:g}": v for n, at in curves.items() for x, v in at.items()}}
        _draw_dots(axes, flat)
    axes.set_ylabel(textwrap.fill(metric, 26), fontsize=9, parse_math=False)
    axes.tick_params(labelsize=9)
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    each = [one["values"][metric] for one in arms.values() if metric in one["values"]]
    low, high = min(map(min, each)), max(map(max, each))
    if len(each) > 1 and low > 0 and high > 50 * low:  # of one arm the seeds are to be seen, and where 0 is
        axes.set_yscale("log")
        return
    axes.ticklabel_format(axis="y", useOffset=False)
    if high - low <= 1e-6 * max(
        abs(low), abs(high)
    ):  # one exact number: beside 0, which says how large it is
        axes.set_ylim(min(0.0, 1.25 * low), max(0.0, 1.25 * high) or 1.0)


def _swept_key(arms: Mapping[str, Any]) -> str:
    """The key that swept arms differ in, from their words."""
    words = [set(one["words"]) for arm, one in arms.items() if SWEPT.fullmatch(arm)]
    own = {word.partition("=")[0] for one in words for word in one - set.intersection(*words)}
    keys = [key for key in sorted(own) if all(any(w.startswith(f"{key}=") for w in one) for one in words)]
    places = {arm.partition("@")[2] for arm in arms if SWEPT.fullmatch(arm)}
    taken = {
        key: {w.partition("=")[2] for one in words for w in one if w.startswith(f"{key}=")} for key in keys
    }
    return next((key for key in keys if taken[key] == places), "")


def _draw_dots(axes: Any, values: Mapping[str, Sequence[float]]) -> None:
    for i, seeds in enumerate(values.values()):
        colour, spread = COLOURS[i % len(COLOURS)], np.linspace(-0.12, 0.12, len(seeds))
        axes.plot(i + spread, seeds, "o", color=colour, markersize=5, alpha=0.85)
        axes.plot([i - 0.25, i + 0.25], [np.mean(seeds)] * 2, color=colour, linewidth=2)
    axes.set_xticks(range(len(values)), list(values), rotation=20 if len(values) > 4 else 0)
    axes.set_xlim(-0.6, len(values) - 0.4)


def _draw_curves(axes: Any, curves: Mapping[str, Mapping[float, Sequence[float]]]) -> None:
    for i, (name, points) in enumerate(curves.items()):
        colour, x = COLOURS[i % len(COLOURS)], sorted(points)
        axes.plot(x, [np.mean(points[at]) for at in x], color=colour, linewidth=1.8, label=name)
        for at in x:
            axes.plot([at] * len(points[at]), points[at], "o", color=colour, markersize=4, alpha=0.7)
    _set_swept(axes, [at for points in curves.values() for at in points])
    if len(curves) > 1:
        axes.legend(fontsize=8, frameon=False)


def _set_swept(axes: Any, places: Sequence[float]) -> None:
    """An axis from the least swept value to the greatest, logarithmic where they are far apart."""
    low, high = min(places), max(places)
    if low > 0 and high >= 8 * low:
        axes.set_xscale("log", base=2)
        axes.set_xticks(sorted(set(places)), [f"{at:g}" for at in sorted(set(places))])
        axes.minorticks_off()
        beyond = (high / low) ** 0.05
        axes.set_xlim(low / beyond, high * beyond)
    elif low < high:
        axes.set_xlim(low - 0.05 * (high - low), high + 0.05 * (high - low))


def _draw_crossing(axes: Any, found: Mapping[str, Any], arms: Mapping[str, Any]) -> None:
    """The interval of a crossing's place on the axis of what was swept, or that there is none."""
    region = [float(text) for text in re.findall(NUMBER, found["wanted"])]
    swept = [float(match[2]) for match in map(SWEPT.fullmatch, arms) if match]
    _set_swept(axes, swept or region or [0.0])
    colour = VERDICTS[found["verdict"]]
    if len(region) == 2:
        _draw_region(axes, region, *region)
    if found["low"] is not None and found["high"] is not None:
        left, right = axes.get_xlim()
        ends = [min(max(end, left), right) for end in (found["low"], found["high"])]
        axes.plot(ends, [0, 0], color=colour, linewidth=2.2, solid_capstyle="butt")
    else:
        words, height = (NOWHERE, 0.5) if found["estimate"] is None else (f"no interval: {found['how']}", 0.8)
        at = {"transform": axes.transAxes, "ha": "center", "va": "center"}
        axes.text(0.5, height, words, fontsize=8.5, color=colour, parse_math=False, **at)
    if found["estimate"] is not None:
        axes.plot([found["estimate"]], [0], "o", color=colour, markersize=6)
    _set_out(axes, found)


def _draw_region(axes: Any, marks: Sequence[float], low: float, high: float) -> None:
    """Where the claim holds, in green."""
    axes.axvspan(low, high, color="#D9EFE6", linewidth=0)
    for end in marks:
        axes.axvline(end, color="#8A8A8A", linewidth=0.8, linestyle=(0, (3, 2)))


def _draw_finding(axes: Any, found: Mapping[str, Any]) -> None:
    """One interval over the region that was wanted."""
    region = [float(text) for text in re.findall(NUMBER, found["wanted"])]
    known = [found[end] for end in ("low", "estimate", "high") if found[end] is not None]
    points = [*known, *region] or [0.0]
    width = (max(points) - min(points)) or abs(points[0]) or 1.0
    left, right = min(points) - 0.15 * width, max(points) + 0.15 * width
    _draw_region(axes, region, *_ends(found["wanted"], region, left, right))
    colour = VERDICTS[found["verdict"]]
    ends = [found["low"] if found["low"] is not None else left]
    ends.append(found["high"] if found["high"] is not None else right)
    axes.plot(ends, [0, 0], color=colour, linewidth=2.2, solid_capstyle="butt")
    if found["estimate"] is not None:
        axes.plot([found["estimate"]], [0], "o", color=colour, markersize=6)
    axes.set_xlim(left, right)
    _set_out(axes, found)


def _set_out(axes: Any, found: Mapping[str, Any]) -> None:
    """What the panels of all expectations have in common."""
    axes.set_ylim(-1, 1)
    axes.set_yticks([])
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right", "left"]].set_visible(False)
    title = f"{found['what']} of {found['metric']}: wanted {found['wanted']} (green); {found['verdict']}"
    axes.set_title(title, fontsize=8, loc="left", parse_math=False)


def _ends(wanted: str, region: Sequence[float], left: float, right: float) -> tuple[float, float]:
    if len(region) == 2:
        return region[0], region[1]
    if wanted.startswith(("below", "at most")):
        return left, region[0] if region else right
    return region[0] if region else math.nan, right
