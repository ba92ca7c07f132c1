"""Pictures of an episode, of the space of embeddings, and of which groups are taken for which."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.figure import Figure
from torch import Tensor

COLOURS = colormaps["tab20"]


def draw_episode(support: Tensor, query: Tensor, distances: Tensor, labels: Tensor, distance: str) -> Figure:
    """A row for each class: its support images, and a query image with its distances from all prototypes.

    Arguments:
        support: images `[way, shot, C, H, W]` between 0 and 1.
        query: one image of each class, `[way, C, H, W]`.
        distances: of these from the prototypes, `[way, way]`.
        labels: class of each query, `[way]`.
        distance: what the distances are called.
    """
    way, shot = support.shape[:2]
    figure = Figure(figsize=(1.1 * (shot + 1) + 3.2, 0.95 * way + 0.5), layout="constrained")
    grid = figure.add_gridspec(way, shot + 2, width_ratios=[1.0] * (shot + 1) + [3.0])
    nearest = distances.argmin(1)
    for k in range(way):
        for i, image in enumerate([*support[k], query[k]]):
            axes = figure.add_subplot(grid[k, i])
            axes.imshow(*_shown(image))
            axes.set_xticks([])
            axes.set_yticks([])
            for spine in axes.spines.values():
                spine.set_color(COLOURS(k % 20) if i < shot else "#6E6E6E")
                spine.set_linewidth(2 if i < shot else 1)
            if k == 0:
                axes.set_title("query" if i == shot else f"support {i + 1}", fontsize=8)
        bars = figure.add_subplot(grid[k, shot + 1])
        bars.barh(range(way), distances[k].numpy(), color=[COLOURS(j % 20) for j in range(way)])
        right = int(nearest[k]) == int(labels[k])
        said = f"nearest: {int(nearest[k]) + 1}, {'right' if right else 'wrong'}"
        bars.set_title(said, fontsize=7, loc="right")
        bars.set_yticks(range(way), [str(j + 1) for j in range(way)], fontsize=6)
        bars.tick_params(axis="x", labelsize=6)
        if k == way - 1:
            bars.set_xlabel(f"{distance} from prototypes", fontsize=7)
        bars.invert_yaxis()
    return figure


def _shown(image: Tensor) -> tuple[np.ndarray, str]:
    """What matplotlib draws of an image `[C, H, W]`, and in which colours."""
    array = image.cpu().numpy()
    return (array[0], "gray_r") if len(array) == 1 else (array.transpose(1, 2, 0), "gray")


def draw_space(z: Tensor, labels: Tensor, centres: Tensor, names: Sequence[str]) -> Figure:
    """Embeddings `[N, D]` along their first two principal axes, and their classes' prototypes `[K, D]`."""
    mean = z.mean(0)
    _, _, axes_ = torch.linalg.svd((z - mean).double(), full_matrices=False)
    flat, middles = ((part - mean).double() @ axes_[:2].T for part in (z, centres))
    figure = Figure(figsize=(7, 5.2), layout="constrained")
    axes = figure.add_subplot()
    for k, name in enumerate(names):
        points = flat[labels == k]
        axes.plot(points[:, 0], points[:, 1], ".", color=COLOURS(k % 20), markersize=5, alpha=0.7)
        axes.plot(*middles[k], "*", color=COLOURS(k % 20), markersize=13, markeredgecolor="k", label=name)
    axes.set_title("classes not trained on, along two principal axes", fontsize=9, loc="left")
    axes.tick_params(labelsize=7)
    axes.legend(fontsize=7, frameon=False, loc="best")
    return figure


def draw_confusion(counts: np.ndarray, names: Sequence[str]) -> Figure:
    """Of the wrong answers to each group's queries, the share that was a class of each group, in per cent.

    `counts` `[G, G]` holds wrong answers: group of the query by group of the answer.
    """
    total = counts.sum(1, keepdims=True)
    shares = 100 * counts / np.maximum(total, 1)
    side = 2.2 + 0.45 * len(names)
    figure = Figure(figsize=(side + 0.8, side), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    for (i, j), share in np.ndenumerate(shares):
        if total[i, 0]:
            axes.text(j, i, f"{share:.0f}", ha="center", va="center", fontsize=7,
                      color="white" if share > 55 else "black")  # fmt: skip
    axes.set_xticks(range(len(names)), names, fontsize=7, rotation=40, ha="right")
    counted = [f"{name} ({int(count)})" for name, count in zip(names, total[:, 0], strict=True)]
    axes.set_yticks(range(len(names)), counted, fontsize=7)
    axes.set_title("% of the wrong answers in each row", fontsize=8)
    axes.set_xlabel("taken for a class of", fontsize=8)
    axes.set_ylabel("wrong answers to queries of (how many)", fontsize=8)
    return figure
