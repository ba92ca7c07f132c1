"""Internal covariate shift of the gradient (Santurkar et al., 2018, definition 2.1), which disputes the
paper's explanation."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from datasets.types import ImageBatch, Images
from methods.common.classify.quantiles import taken_up
from methods.common.norm.recalibrate import batch_moments
from runner.api import Inputs, Metrics, Picture

NAMES = ("ics_distance", "ics_cosine")


class GradientShift:
    """How far a layer's gradient turns because the layers before it were updated.

    For layer i, the gradient of the loss of one batch by its weights before the update, and again where the
    layers before it, and only they, have been updated. Reported are the distance of the two over the norm of
    the first, and their cosine, as means over the looks in which both gradients are not zero: in a residual
    block whose last gain is still 0, they are, and have no direction.

    Arguments:
        every: steps between looks, each of which costs a pass for every layer.
    """

    name = "gradient_shift"

    def __init__(self, every: int) -> None:
        self.every = every

    def begin(self, model: nn.Module, data: Images, inputs: Inputs) -> None:
        self.model = model
        self.layers = layers_of(model)
        self.history = torch.full((inputs.steps // self.every, 2, len(self.layers) - 1), torch.nan).double()
        self.looks = 0
        self._old: dict[str, Tensor] | None = None

    def before(self, step: int, batch: ImageBatch) -> None:
        """Remembers the parameters, in a step that is looked at."""
        due = (step + 1) % self.every == 0
        self._old = {n: p.detach().clone() for n, p in self.model.named_parameters()} if due else None

    def after(self, step: int, batch: ImageBatch) -> Metrics:
        """Means over layers of distance and cosine, in a step that is looked at."""
        if self._old is None:
            return {}
        new = {name: p.detach() for name, p in self.model.named_parameters()}
        found = torch.tensor(shifts(self.model, self.layers, self._old, new, batch)).T
        self._old = None
        self.history[self.looks] = found
        self.looks += 1
        means = dict(zip(NAMES, found.nanmean(1).tolist(), strict=True))
        return {name: value for name, value in means.items() if math.isfinite(value)}

    def metrics(self) -> Metrics:
        """`ics_distance` and `ics_cosine`, over all layers but the first, and of each, counted from 2."""
        found: Metrics = {}
        for name, row in zip(NAMES, self.history[: self.looks].nanmean(0), strict=True):
            found[name] = row.nanmean().item()
            found |= {f"{name}_{i + 2}": value for i, value in enumerate(row.tolist())}
        return {name: value for name, value in found.items() if math.isfinite(value)}

    def figures(self) -> dict[str, Picture]:
        """Distance and cosine over time, a line for each layer but the first; nothing before the first
        look."""
        if not self.looks:
            return {}
        figure = Figure(figsize=(8, 3.2), layout="constrained")
        steps = [(i + 1) * self.every for i in range(self.looks)]
        colours = colormaps["viridis"](np.linspace(0, 0.9, len(self.layers) - 1))
        for place, title in enumerate(("distance, over the first gradient's norm", "cosine")):
            axes = figure.add_subplot(1, 2, place + 1)
            for i, colour in enumerate(colours):
                line = self.history[: self.looks, place, i]
                axes.plot(steps, line, ".-", color=colour, linewidth=1, markersize=3, label=f"layer {i + 2}")
            axes.set_title(title, fontsize=9, loc="left")
            axes.set_xlabel("step", fontsize=8)
            axes.tick_params(which="both", labelsize=7)
            if place == 0:
                axes.set_yscale("log")
        shown = axes.get_legend_handles_labels()
        few = [[entries[0], entries[-1]] if len(entries) > 6 else entries for entries in shown]
        figure.legend(*few, fontsize=8, ncols=6, loc="outside upper right", frameon=False)
        figure.suptitle("a layer's gradient before and after those below it are updated", fontsize=9, x=0.01,
                        ha="left")  # fmt: skip
        return {"gradient_shift": figure}

    def state_dict(self) -> dict[str, Any]:
        return {"history": self.history, "looks": self.looks, "every": self.every}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes up where a training was; raises ValueError for one that looked at something else."""
        self.history = taken_up(self.history, state["history"], state.get("every", self.every) == self.every)
        self.looks = state["looks"]


def layers_of(model: nn.Module) -> list[list[str]]:
    """Names of the parameters of each layer in order: its weights first, then what is learned until the next
    layer's weights."""
    layers: list[list[str]] = []
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1 or not layers:
            layers.append([])
        layers[-1].append(name)
    return layers


def shifts(
    model: nn.Module,
    layers: list[list[str]],
    old: dict[str, Tensor],
    new: dict[str, Tensor],
    batch: ImageBatch,
) -> list[tuple[float, float]]:
    """Distance over norm, and cosine, of each layer's gradients but the first one's; NaN where a gradient is
    zero."""
    found = []
    before = _gradients(model, old, [layer[0] for layer in layers], batch)
    mixed = dict(old)
    for previous, layer in pairwise(layers):
        mixed |= {name: new[name] for name in previous}
        (moved,) = _gradients(model, mixed, [layer[0]], batch)
        still = before[layers.index(layer)]
        size = still.norm()
        if not (size > 0 and moved.norm() > 0):
            found.append((math.nan, math.nan))
            continue
        cosine = functional.cosine_similarity(moved, still, dim=0, eps=0)
        found.append((((moved - still).norm() / size).item(), cosine.item()))
    return found


@torch.enable_grad()
def _gradients(
    model: nn.Module, parameters: dict[str, Tensor], names: list[str], batch: ImageBatch
) -> list[Tensor]:
    """Flat gradients of the mean loss by the parameters called `names`, with the batch's moments.

    The running ones, which batch renormalisation reads, are the same for each pass.
    """
    leaves = {name: parameters[name].detach().requires_grad_() for name in names}
    with batch_moments(model):  # until the gradients are there, which read the running ones as they were
        logits = functional_call(model, {**parameters, **leaves}, (batch.images,))
        loss = functional.cross_entropy(logits.float(), batch.labels)
        gradients = torch.autograd.grad(loss, list(leaves.values()))
    return [gradient.flatten() for gradient in gradients]
