"""How the distribution of what a nonlinearity receives drifts in training (Ioffe and Szegedy, figure 1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from datasets.types import ImageBatch, Images
from methods.common.classify.listen import preactivations
from methods.common.classify.some import looked_at
from methods.common.norm.recalibrate import batch_moments
from runner.api import Inputs, Metrics, Picture


def taken_up(made: Tensor, kept: Tensor, same: bool) -> Tensor:
    """What was `kept` of looks `[T, ...]`, with the room of what was `made`, which may be for fewer or more.

    A task can be asked of other data, or of other batches, than the training had.

    Raises ValueError where the looks are not of the same things, or not the `same` steps apart.
    """
    if not same or kept.shape[1:] != made.shape[1:]:
        raise ValueError("it was looked at other layers, at other steps or in another way")
    made = made.new_full((max(len(made), len(kept)), *made.shape[1:]), torch.nan)
    made[: len(kept)] = kept
    return made


class Quantiles:
    """Quantiles of every nonlinearity's input on fixed images, with the moments of that batch, over time.

    Arguments:
        every: steps between looks.
        levels: the quantiles, 0 to 1, odd in number; the middle one shows where the distribution lies, the
            outer ones how wide it is.
        unit: the unit that is looked at in each layer, or None for all together.
    """

    name = "quantiles"

    def __init__(self, every: int, levels: Sequence[float], unit: int | None = 0) -> None:
        self.every, self.levels, self.unit = every, tuple(levels), unit

    def begin(self, model: nn.Module, data: Images, inputs: Inputs) -> None:
        self.model = model
        self.images = looked_at(data, inputs.device)
        first = self._look()
        self.layers = list(first)
        self.history = torch.full((inputs.steps // self.every + 1, len(first), len(self.levels)), torch.nan)
        self.looks = 0
        self._keep(first)

    def _look(self) -> dict[str, Tensor]:
        """`[levels]` for each layer."""
        levels = torch.tensor(self.levels, device=self.images.device)
        with batch_moments(self.model):
            found = preactivations(self.model, self.images)
        return {name: quantiles(self._chosen(values), levels).cpu() for name, values in found.items()}

    def _chosen(self, values: Tensor) -> Tensor:
        return values.flatten() if self.unit is None else values[:, self.unit % values.shape[1]].flatten()

    def _keep(self, found: dict[str, Tensor]) -> None:
        self.history[self.looks] = torch.stack(list(found.values()))
        self.looks += 1

    def before(self, step: int, batch: ImageBatch) -> None:
        """Nothing."""

    def after(self, step: int, batch: ImageBatch) -> Metrics:
        """The quantiles of the last nonlinearity, in a step that is looked at."""
        if (step + 1) % self.every:
            return {}
        self._keep(found := self._look())
        return {
            f"quantile/{round(100 * level)}": value
            for level, value in zip(self.levels, found[self.layers[-1]].tolist(), strict=True)
        }

    def metrics(self) -> Metrics:
        """For each layer, counted from 1, how far the middle moves and how much the width changes.

        `drift`: deviation over time of the middle quantile, over the mean distance of the outer ones.
        `width_drift`: deviation over time of the logarithm of that distance. One look alone says nothing.
        """
        if self.looks < 2:
            return {}
        seen = self.history[: self.looks].double()
        width = (seen[..., -1] - seen[..., 0]).clamp(min=torch.finfo(torch.float32).tiny)
        middle = seen[..., len(self.levels) // 2]
        drift, change = middle.std(0, correction=0) / width.mean(0), width.log().std(0, correction=0)
        found = {f"drift_{i + 1}": value for i, value in enumerate(drift.tolist())}
        found |= {f"width_drift_{i + 1}": value for i, value in enumerate(change.tolist())}
        return {**found, "drift": drift.mean().item(), "width_drift": change.mean().item()}

    def figures(self) -> dict[str, Picture]:
        """One panel for each layer, the first at the top; nothing before the second look."""
        if self.looks < 2:
            return {}
        count = len(self.layers)
        figure = Figure(figsize=(7, 1.2 + 1.3 * count), layout="constrained")
        steps = np.arange(self.looks) * self.every
        for i, name in enumerate(self.layers):
            axes = figure.add_subplot(count, 1, i + 1)
            for j, level in enumerate(self.levels):
                axes.plot(steps, self.history[: self.looks, i, j], label=f"{100 * level:g} %", linewidth=1.2)
            axes.set_title(f"layer {i + 1}: what {name} receives", fontsize=8, loc="left")
            axes.tick_params(labelsize=7)
        lines, labels = axes.get_legend_handles_labels()
        figure.legend(lines, labels, fontsize=8, ncols=len(labels), loc="outside upper right", frameon=False)
        figure.supxlabel("step", fontsize=8)
        return {"quantiles": figure}

    def state_dict(self) -> dict[str, Any]:
        return {"history": self.history, "looks": self.looks, "every": self.every}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes up where a training was; raises ValueError for one that looked at something else."""
        self.history = taken_up(self.history, state["history"], state.get("every", self.every) == self.every)
        self.looks = state["looks"]


def quantiles(values: Tensor, levels: Tensor) -> Tensor:
    """Quantiles of `values` `[N]`, interpolated; `torch.quantile` refuses more than 16 million values."""
    ordered = values.float().sort().values
    at = levels * (len(ordered) - 1)
    below = at.floor().long()
    above = (below + 1).clamp(max=len(ordered) - 1)
    return ordered[below].lerp(ordered[above], at - below)
