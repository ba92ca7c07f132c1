"""How full the nonlinearities are, and how well the running moments fit, at an evaluation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from datasets.types import ImageBatch, Images
from methods.common.classify.listen import received
from methods.common.norm.recalibrate import TRACKING, batch_moments
from runner.api import Inputs, Metrics, Picture

IMAGES = 512
FLAT = 0.05
"""Slope s (1 - s) of the sigmoid below which it is called saturated; its greatest is 0.25."""


class Layers:
    """Measures the layers on fixed validation images."""

    name = "layers"

    def begin(self, model: nn.Module, data: Images, inputs: Inputs) -> None:
        self.model = model
        count = min(IMAGES, len(data.validation))
        self.images = data.validation.plain.batch(torch.arange(count)).images.to(inputs.device)

    def before(self, step: int, batch: ImageBatch) -> None:
        """Nothing."""

    def after(self, step: int, batch: ImageBatch) -> Metrics:
        return {}

    def metrics(self) -> Metrics:
        """`saturated`, of each sigmoid layer and on average, and `running_error` where moments are kept."""
        with batch_moments(self.model):
            return saturation(self.model, self.images) | running_error(self.model, self.images)

    def figures(self) -> dict[str, Picture]:
        return {}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """It has none."""


def saturation(model: nn.Module, images: Tensor) -> Metrics:
    """Share of a sigmoid layer's outputs s with s (1 - s) < 0.05, for each layer counted from 1."""
    inputs = received(model, images, lambda module: isinstance(module, nn.Sigmoid))
    shares = [((s := x.sigmoid()) * (1 - s) < FLAT).double().mean().item() for x in inputs.values()]
    found = {f"saturated_{i + 1}": share for i, share in enumerate(shares)}
    return found | ({"saturated": sum(shares) / len(shares)} if shares else {})


def running_error(model: nn.Module, images: Tensor) -> Metrics:
    """Distance of running means from the batch's, in the batch's deviations: the mean over channels and
    layers."""
    modules: dict[str, Any] = {n: m for n, m in model.named_modules() if isinstance(m, TRACKING)}
    running = {name: module.running_mean.clone() for name, module in modules.items()}  # as the batch finds it
    errors = []
    for name, x in received(model, images, lambda module: isinstance(module, TRACKING)).items():
        dims = [0, *range(2, x.ndim)]
        deviation = x.var(dims, correction=0).add(modules[name].eps).sqrt()
        errors.append(((running[name] - x.mean(dims)).abs() / deviation).mean())
    return {"running_error": torch.stack(errors).mean().item()} if errors else {}
