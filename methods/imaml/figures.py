"""Pictures of adaptation: curves before and after it, and the loss along its way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib import colormaps
from matplotlib.figure import Figure
from torch import Tensor

GREYS = colormaps["viridis_r"]


def draw_fits(
    support: tuple[Tensor, Tensor], curve: tuple[Tensor, Tensor], fits: Mapping[int, Tensor], name: str
) -> Figure:
    """A panel for each of M tasks: its curve, the points that are learned from, and what is predicted.

    Arguments:
        support: arguments and values `[M, S]`.
        curve: arguments, in ascending order, and true values `[M, Q]`.
        fits: predictions `[M, Q]` by the number of steps.
        name: of the method.
    """
    many = len(support[0])
    figure = Figure(figsize=(3.1 * many, 2.8), layout="constrained")
    panels = figure.subplots(1, many, squeeze=False)[0]
    for m, axes in enumerate(panels):
        axes.plot(curve[0][m], curve[1][m], color="#999999", linewidth=4, alpha=0.5, label="true")
        for i, (steps, values) in enumerate(fits.items()):
            colour = "#D55E00" if steps == 0 else GREYS(0.3 + 0.6 * i / max(1, len(fits) - 1))
            said = "before" if steps == 0 else f"after {steps} step{'s' if steps > 1 else ''}"
            axes.plot(
                curve[0][m], values[m], "--" if steps == 0 else "-", color=colour, linewidth=1.4, label=said
            )
        axes.plot(support[0][m], support[1][m], "^", color="black", markersize=5, label="learned from")
        axes.tick_params(labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlabel("x", fontsize=8)
    panels[0].set_ylabel("y (each panel's own scale)", fontsize=8)
    panels[0].set_title(f"{name}: tasks not trained on", fontsize=9, loc="left")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=8, frameon=False)
    return figure


def draw_steps(
    steps: Sequence[int], values: Tensor, trained: int, said: str, name: str, zero: bool
) -> Figure:
    """Mean over tasks, with 95 % intervals, of what is asked after so many steps of adaptation.

    Arguments:
        steps: numbers of steps.
        values: for each of them and each task, `[len(steps), M]`.
        trained: steps that were trained with.
        said: what the values are.
        name: of the method.
        zero: whether the axis begins at 0.
    """
    mean = values.mean(1)
    half = 1.96 * values.std(1) / values.shape[1] ** 0.5
    figure = Figure(figsize=(4.6, 3.2), layout="constrained")
    axes = figure.add_subplot()
    axes.fill_between(steps, mean - half, mean + half, color="#0072B2", alpha=0.2, linewidth=0)
    axes.plot(steps, mean, "o-", color="#0072B2", markersize=4, linewidth=1.4)
    axes.axvline(trained, color="#999999", linestyle=":", linewidth=1.2)
    axes.annotate(
        " trained with",
        (trained, 1),
        xycoords=("data", "axes fraction"),
        fontsize=7,
        va="top",
        color="#666666",
    )
    if zero:
        axes.set_ylim(bottom=0)
    axes.set_xlabel("steps of adaptation", fontsize=8)
    axes.set_ylabel(said, fontsize=8)
    axes.set_title(f"{name}: {values.shape[1]} tasks not trained on, 95 % band", fontsize=8, loc="left")
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
    return figure
