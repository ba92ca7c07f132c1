"""How full the nonlinearities are, and how well the running moments fit, at an evaluation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from datasets.types import ImageBatch, Images
from methods.common.classify.listen import received
from methods.common.classify.some import looked_at
from methods.common.norm.recalibrate import batch_moments, tracking
from runner.api import Inputs, Metrics, Picture

FLAT = 0.05
"""Slope s (1 - s) of the sigmoid below which it is called saturated; its greatest is 0.25."""


class Layers:
    """Measures the layers on fixed validation images."""

    name = "layers"

    def begin(self, model: nn.Module, data: Images, inputs: Inputs) -> None:
        self.model = model
        self.images = looked_at(data, inputs.device)

    def before(self, step: int, batch: ImageBatch) -> None:
        """Nothing."""

    def after(self, step: int, batch: ImageBatch) -> Metrics:
        return {}

    def metrics(self) -> Metrics:
        """`saturated`, of each sigmoid layer and on average, and `running_error` where moments are kept."""
        with batch_moments(self.model):
            return saturation(self.model, self.images) | running_error(self.model, self.images)

    def figures(self) -> dict[str, Picture]:
        """How each sigmoid layer's outputs are distributed; nothing where there is none."""
        with batch_moments(self.model):
            outputs = sigmoids(self.model, self.images)
        return {"saturation": histograms(outputs)} if outputs else {}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """It has none."""


def saturation(model: nn.Module, images: Tensor) -> Metrics:
    """Share of a sigmoid layer's outputs s with s (1 - s) < 0.05, for each layer counted from 1."""
    shares = [flat(s) for s in sigmoids(model, images)]
    found = {f"saturated_{i + 1}": share for i, share in enumerate(shares)}
    return found | ({"saturated": sum(shares) / len(shares)} if shares else {})


def sigmoids(model: nn.Module, images: Tensor) -> list[Tensor]:
    """The outputs of each sigmoid layer."""
    inputs = received(model, images, lambda module: isinstance(module, nn.Sigmoid))
    return [x.sigmoid() for x in inputs.values()]


def flat(s: Tensor) -> float:
    """Share of a sigmoid's outputs at which its slope is below `FLAT`."""
    return (s * (1 - s) < FLAT).double().mean().item()


def histograms(outputs: list[Tensor]) -> Figure:
    """One panel for each layer, the parts where the sigmoid is flat shaded."""
    columns = min(4, len(outputs))
    rows = -(-len(outputs) // columns)
    figure = Figure(figsize=(1 + 2.2 * columns, 0.6 + 1.9 * rows), layout="constrained")
    edge = (1 - math.sqrt(1 - 4 * FLAT)) / 2  # where s (1 - s) is FLAT
    for i, s in enumerate(outputs):
        axes = figure.add_subplot(rows, columns, i + 1)
        counts = torch.histc(s.float().cpu(), 50, 0, 1)
        axes.stairs(counts / counts.sum(), np.linspace(0, 1, 51), fill=True, color="#0072B2")
        for low, high in ((0, edge), (1 - edge, 1)):
            axes.axvspan(low, high, color="#D55E00", alpha=0.2, linewidth=0)
        axes.set_title(f"layer {i + 1}: {100 * flat(s):.0f} % in the flat parts", fontsize=8, loc="left")
        axes.set_xlim(0, 1)
        axes.tick_params(labelsize=7)
    figure.supxlabel("output of the sigmoid", fontsize=8)
    figure.supylabel("share", fontsize=8)
    return figure


def running_error(model: nn.Module, images: Tensor) -> Metrics:
    """Distance of running means from the batch's, in the batch's deviations: the mean over channels and
    layers."""
    kept = tracking(model)
    modules: dict[str, Any] = {n: m for n, m in model.named_modules() if m in kept}
    running = {name: module.running_mean.clone() for name, module in modules.items()}  # as the batch finds it
    errors = []
    for name, x in received(model, images, lambda module: module in kept).items():
        dims = [0, *range(2, x.ndim)]
        deviation = x.var(dims, correction=0).add(modules[name].eps).sqrt()
        errors.append(((running[name] - x.mean(dims)).abs() / deviation).mean())
    return {"running_error": torch.stack(errors).mean().item()} if errors else {}
