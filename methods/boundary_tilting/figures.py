"""Pictures of a path of classifiers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from methods.boundary_tilting.linear.hyperplane import angle
from methods.boundary_tilting.linear.losses import hinge, logistic, squared_hinge
from methods.boundary_tilting.linear.tilt import plane_of, tilt
from methods.boundary_tilting.linear.tilting import across, sign_error, tilted
from methods.boundary_tilting.report import error
from methods.common.pictures import grid
from runner.api import Picture

if TYPE_CHECKING:
    from methods.boundary_tilting.stage import TiltStage

COLOURS = ("tab:blue", "tab:orange")
POINTS = 400
"""Points of each class in a scatter."""

LOSSES = {
    "logistic": lambda m: logistic(m).value,
    "squared_hinge": lambda m: squared_hinge(m).value,
    "hinge": hinge,
}


def all_of(stage: TiltStage) -> dict[str, Picture]:
    """Every figure, by its name."""
    if not stage.planes.found:
        return {}
    return {
        "plane": draw_plane(stage),
        "path": draw_path(stage),
        "weights": draw_weights(stage),
        "mirrors": draw_mirrors(stage),
        "tilting": draw_tilting(stage),
        "spectrum": draw_spectrum(stage),
        "sign": draw_sign(stage),
        "margins": draw_margins(stage),
    }


def _three(stage: TiltStage) -> list[int]:
    """Steps of the strongest penalty, the best classifier and the weakest penalty."""
    return sorted({0, stage.chosen, len(stage.planes.found) - 1})


def _named(stage: TiltStage, at: int) -> str:
    return f"C = {stage.config.c[at]:.1e}"


def draw_plane(stage: TiltStage) -> Figure:
    """The tilting plane: across, the direction from centre to centre; upwards, that in which the normal
    deviates. Distances are those in pixel space, and the boundary is a line."""
    steps, pair = _three(stage), stage.pair
    figure = Figure(figsize=(3.4 * len(steps), 3.6), layout="constrained")
    for axes, at in zip(np.atleast_1d(figure.subplots(1, len(steps))), steps, strict=True):
        plane = stage.planes.found[at]
        basis = plane_of(plane, pair)
        middle = (pair.centres[0] + pair.centres[1]) / 2
        for label, colour in zip((-1, 1), COLOURS, strict=True):
            some = (pair.x[pair.y == label][:POINTS] - middle) @ basis.T
            axes.scatter(*some.T.cpu(), s=4, alpha=0.5, color=colour, linewidths=0)
            axes.plot(*(((pair.x[pair.y == label].mean(0) - middle) @ basis.T)[:, None]).cpu(), "k+", ms=9)
        _line(axes, basis @ plane.unit, float(plane.distance(middle[None])))
        axes.set_aspect("equal", adjustable="datalim")
        axes.set_title(
            f"{_named(stage, at)}: tilted by {angle(plane.w, pair.direction):.1f} degrees", fontsize=8
        )
        axes.tick_params(labelsize=7)
    return figure


def _line(axes: Axes, normal: Tensor, offset: float) -> None:
    """The boundary `normal . p + offset = 0` across the picture."""
    (a, b), limits = normal.tolist(), (axes.get_xlim(), axes.get_ylim())
    at, along, reach = (-offset * a, -offset * b), (-b, a), 2 * max(map(abs, (*limits[0], *limits[1])))
    axes.plot(*[[p - reach * d, p + reach * d] for p, d in zip(at, along, strict=True)], "k-", linewidth=1)
    axes.set_xlim(limits[0])
    axes.set_ylim(limits[1])


def draw_path(stage: TiltStage) -> Figure:
    """Angle and errors against C."""
    planes, pair = stage.planes.found, stage.pair
    cs = stage.config.c[: len(planes)]
    figure = Figure(figsize=(5, 3.2), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(cs, [angle(plane.w, pair.direction) for plane in planes], "k.-", label="angle")
    axes.set(xscale="log", xlabel="C", ylabel="degrees from nearest centroid", ylim=(0, 92))
    right = axes.twinx()
    for name, (x, y), style in (("train", (pair.x, pair.y), ":"), ("test", stage.part("test"), "-")):
        right.plot(
            cs, [100 * error(plane, x, y) for plane in planes], style, color="tab:red", label=f"{name} error"
        )
    right.set_ylabel("error, %", color="tab:red")
    right.set_ylim(bottom=0)
    axes.axvline(cs[stage.chosen], color="grey", linewidth=0.8)
    _legend(axes, right)
    return figure


def _legend(left: Axes, right: Axes) -> None:
    (a, said), (b, more) = left.get_legend_handles_labels(), right.get_legend_handles_labels()
    left.legend(a + b, said + more, fontsize=7, loc="center left")


def draw_weights(stage: TiltStage) -> Figure:
    """Normals as images, one for each C; red is towards the second class."""
    planes = stage.planes.found
    shape = (stage.data.shape[0], *_side(stage))
    figure = Figure(figsize=(1.1 * len(planes) + 0.2, 1.5), layout="constrained")
    for at, axes in enumerate(np.atleast_1d(figure.subplots(1, len(planes)))):
        picture = planes[at].unit.reshape(shape).mean(0).cpu()
        most = float(picture.abs().max())
        axes.imshow(picture, cmap="RdBu_r", vmin=-most, vmax=most)
        axes.set_axis_off()
        axes.set_title(f"{stage.config.c[at]:.0e}", fontsize=7)
    return figure


def _side(stage: TiltStage) -> tuple[int, int]:
    side = stage.config.side
    return stage.data.shape[1:] if side is None else (side, side)


def draw_mirrors(stage: TiltStage) -> Tensor:
    """Images in the first row and column group, then for each of three C the projected and the mirror image;
    what leaves [0, 1] is cut off here, and here alone."""
    x, y = stage.part("test")
    shown = torch.cat([x[y == label][: stage.config.shown] for label in (-1, 1)])
    rows = [shown]
    for at in _three(stage):
        rows += [stage.planes.found[at].projected(shown), stage.planes.found[at].mirror(shown)]
    pixels = torch.cat(rows).clamp(0, 1).reshape(-1, stage.data.shape[0], *_side(stage))
    return grid((255 * pixels).round(), len(shown), side=28)


def draw_tilting(stage: TiltStage) -> Figure:
    """Errors and adversarial distance of the best classifier, tilted towards principal components."""
    (x, y), pair, plane = stage.part("test"), stage.pair, stage.planes.found[stage.chosen]
    directions = {f"component {k}": k - 1 for k in stage.config.directions if k <= x.shape[1]}
    directions["least variance"] = -1
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, component in directions.items():
        v = across(plane, pair, component)
        made = [tilted(plane, pair, v, degrees) for degrees in stage.config.tilts]
        left.plot(stage.config.tilts, [100 * error(one, x, y) for one in made], ".-", label=name)
        right.plot(stage.config.tilts, [tilt(one, pair).distance for one in made], ".-", label=name)
    left.set(xlabel="tilt, degrees", ylabel="test error, %")
    right.set(xlabel="tilt, degrees", ylabel="adversarial distance")
    right.legend(fontsize=7)
    return figure


def draw_spectrum(stage: TiltStage) -> Figure:
    """Share of the squared normal in the first k principal components, beside the data's variance."""
    pair = stage.pair
    variances, vectors = pair.spectrum
    figure = Figure(figsize=(4.6, 3.2), layout="constrained")
    axes = figure.add_subplot()
    ks = range(1, len(variances) + 1)
    axes.plot(ks, (variances.cumsum(0) / variances.sum()).cpu(), "k--", label="images' variance")
    for at in _three(stage):
        shares = (vectors.T @ stage.planes.found[at].unit).square().cumsum(0)
        axes.plot(ks, shares.cpu(), label=f"normal, {_named(stage, at)}")
    axes.set(xscale="log", xlabel="principal components", ylabel="share", ylim=(0, 1.03))
    axes.legend(fontsize=7)
    return figure


def draw_sign(stage: TiltStage) -> Figure:
    """Errors after a step in the sign of the gradient, by its size."""
    x, y = stage.part("test")
    sizes = np.linspace(0, max(stage.config.eps, default=0.1), 30)
    figure = Figure(figsize=(4.2, 3.2), layout="constrained")
    axes = figure.add_subplot()
    for at in _three(stage):
        plane = stage.planes.found[at]
        axes.plot(sizes, [100 * sign_error(plane, x, y, eps) for eps in sizes], label=_named(stage, at))
    axes.set(xlabel="eps", ylabel="test error, %", ylim=(0, 100))
    axes.legend(fontsize=7)
    return figure


def draw_margins(stage: TiltStage) -> Figure:
    """Training images by their margin y (w . x + b), and the loss that they are given."""
    steps, pair = _three(stage), stage.pair
    figure = Figure(figsize=(3.2 * len(steps), 2.8), layout="constrained")
    for axes, at in zip(np.atleast_1d(figure.subplots(1, len(steps))), steps, strict=True):
        plane = stage.planes.found[at]
        margin = pair.y * (pair.x @ plane.w + plane.b)
        ends = min(0.0, float(margin.min())), max(1.5, float(margin.max()))
        axes.hist(margin.cpu().numpy(), bins=60, range=ends, color="lightgrey")
        axes.set_yticks([])
        at_margin = torch.linspace(*ends, 200, dtype=torch.float64)
        loss = axes.twinx()
        loss.plot(at_margin, LOSSES[stage.config.loss](at_margin), color="tab:red")
        loss.set_ylim(bottom=0)
        loss.tick_params(labelsize=7)
        axes.set_xlabel("margin")
        axes.set_title(f"{_named(stage, at)}, |w| = {float(plane.w.norm()):.2g}", fontsize=8)
    return figure
