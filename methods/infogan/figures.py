"""How what was learned is drawn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from methods.common.pictures import grid
from methods.infogan.codes import Code, CodeSpec
from methods.infogan.record import Curve

CELL = 0.42
"""Inches of one image in a figure."""


def draw_traversal(images: Tensor, code: Code, values: Tensor) -> Figure:
    """Samples `[rows * steps, C, H, W]` in [0, 1]: along a row one code changes and all else stays; of a
    continuous code, what was trained is framed."""
    steps = len(values)
    rows = len(images) // steps
    height, width = images.shape[-2] + 1, images.shape[-1] + 1
    figure = Figure(figsize=(CELL * steps + 0.9, CELL * rows * height / width + 0.7), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(grid((images * 255).round(), steps).numpy(), interpolation="nearest")
    axes.set_xticks(np.arange(steps) * width + width / 2)
    axes.set_yticks([])
    axes.tick_params(length=0, labelsize=7)
    if code.kind == "categorical":
        axes.set_xticklabels([str(i) for i in range(steps)])
    else:
        axes.set_xticklabels([f"{round(value, 6) + 0.0:g}" for value in values[:, 0].tolist()])
        inside = [i for i, value in enumerate(values[:, 0].tolist()) if abs(value) <= 1 + 1e-6]
        left, many = inside[0] * width, len(inside) * width
        axes.add_patch(
            Rectangle((left, 0), many, rows * height, fill=False, edgecolor="tab:orange", linewidth=2)
        )
    said = "every value" if code.kind == "categorical" else "framed: the trained range"
    axes.set_title(f"{code.name}, {code.kind} ({said})", fontsize=8)
    return figure


def draw_curve(curve: Curve, spec: CodeSpec) -> Figure:
    """Each code's bound against the steps, and its entropy as a line (figure 1)."""
    figure = Figure(figsize=(5, 3.2), layout="constrained")
    axes = figure.add_subplot()
    for code in spec.codes:
        values = curve.points.get(f"mi_{code.name}", [])
        (line,) = axes.plot(curve.steps[: len(values)], values, label=f"{code.name} ({code.kind})")
        axes.axhline(code.entropy, color=line.get_color(), linestyle=":", linewidth=1)
    axes.set_xlabel("step")
    axes.set_ylabel("bound on I(c; x), nats")
    axes.set_title("dotted: H(c)", fontsize=8)
    axes.legend(fontsize=7)
    return figure


def draw_confusion(counts: Tensor, classes: Sequence[str], assigned: Tensor) -> Figure:
    """Counts `[K, L]` of values and classes, by the class each value stands for; shares of each value."""
    order = torch.where(assigned >= 0, assigned, counts.shape[1]).argsort(stable=True)
    shares = counts[order].double() / counts[order].sum(1, keepdim=True).clamp(min=1)
    figure = Figure(figsize=(0.34 * counts.shape[1] + 1.6, 0.3 * counts.shape[0] + 1.4), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(shares.numpy(), cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(classes)), classes, rotation=90, fontsize=7)
    axes.set_yticks(range(len(order)), [str(k) for k in order.tolist()], fontsize=7)
    for row, values in enumerate(shares.tolist()):
        for column, share in enumerate(values):
            if share >= 0.05:
                colour = "white" if share > 0.6 else "black"
                axes.text(
                    column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=6, color=colour
                )
    axes.set_xlabel("class")
    axes.set_ylabel("value of c1")
    axes.set_title("% of each value's images", fontsize=8)
    return figure


def draw_neighbours(fakes: Tensor, nearest: Tensor) -> Tensor:
    """Samples above the training images nearest to them, both `[N, C, H, W]` in [0, 1]; uint8 picture."""
    both = torch.cat((fakes.cpu(), nearest.cpu()))
    return grid((both * 255).round(), len(fakes), side=28)
