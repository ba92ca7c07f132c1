"""Pictures of what normalisation layers receive."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from methods.groupnorm.moments import Moments

BLUE = "#0072B2"


def draw_errors(sizes: Sequence[int], errors: np.ndarray) -> Figure:
    """Errors `[2, sizes, layers]` of a batch's mean and variance against its size, a line for each layer, and
    the slope of independent images."""
    figure = Figure(figsize=(7.5, 3.4), layout="constrained")
    for i, (name, error) in enumerate(zip(("mean", "variance"), errors, strict=True)):
        axes = figure.add_subplot(1, 2, i + 1)
        lines = axes.loglog(sizes, error, color=BLUE, alpha=0.4, linewidth=1)
        lines[0].set_label("a layer")
        axes.loglog(sizes, error.mean(1), color=BLUE, marker="o", label="mean of the layers")
        expected = error.mean(1)[0] * np.sqrt(sizes[0] / np.array(sizes))
        axes.loglog(sizes, expected, "k--", linewidth=1, label="slope -1/2")
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel("images in a batch")
        axes.set_title(f"relative error of a batch's {name}", fontsize=9)
        axes.legend(fontsize=8, frameon=False)
    return figure


def draw_channels(layers: Sequence[Moments]) -> Figure:
    """Means and deviations of each layer's channels, a dot for each channel, in units of the layer's mean
    deviation."""
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    titles = ("mean of a channel", "deviation of a channel")
    axes = [figure.add_subplot(1, 2, i + 1, title=title) for i, title in enumerate(titles)]
    for number, layer in enumerate(layers, start=1):
        deviation = layer.variance.clamp(min=0).sqrt()
        unit = deviation.mean().clamp(min=1e-12)
        for one, values in zip(axes, (layer.mean.mean(0), deviation), strict=True):
            places = np.full(len(values), number)
            one.plot(places, values / unit, "o", color=BLUE, alpha=0.35, markersize=4, markeredgewidth=0)
    for one in axes:
        one.title.set_fontsize(9)
        one.set_xlabel("layer", fontsize=8)
        one.tick_params(labelsize=7)
    axes[0].axhline(0, color="k", linewidth=0.6)
    axes[1].set_ylim(bottom=0)
    axes[0].set_ylabel("in the layer's mean deviation", fontsize=8)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Writes a PNG, the same bytes for the same picture."""
    figure.savefig(path, dpi=120, metadata={"Software": None})
