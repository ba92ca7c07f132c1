"""Internal covariate shift of the gradient (Santurkar et al., 2018, definition 2.1), which disputes the
paper's explanation."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from datasets.types import ImageBatch, Images
from methods.common.norm.recalibrate import batch_moments
from runner.api import Inputs, Metrics, Picture


class GradientShift:
    """How far a layer's gradient turns because the layers before it were updated.

    For layer i, the gradient of the loss of one batch by its weights before the update, and again where the
    layers before it, and only they, have been updated. Reported are the distance of the two over the norm of
    the first, and their cosine, as means over the looks.

    Arguments:
        every: steps between looks, each of which costs a pass for every layer.
    """

    name = "gradient_shift"

    def __init__(self, every: int) -> None:
        self.every = every

    def begin(self, model: nn.Module, data: Images, inputs: Inputs) -> None:
        self.model = model
        self.layers = layers_of(model)
        self.sums = torch.zeros(2, len(self.layers) - 1, dtype=torch.float64)
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
        with batch_moments(self.model):
            found = torch.tensor(
                shifts(self.model, self.layers, self._old, new, batch), dtype=torch.float64
            ).T
        self._old = None
        self.sums += found
        self.looks += 1
        return {"ics_distance": found[0].mean().item(), "ics_cosine": found[1].mean().item()}

    def metrics(self) -> Metrics:
        """`ics_distance` and `ics_cosine`, over all layers but the first, and of each, counted from 2."""
        if not self.looks:
            return {}
        means = self.sums / self.looks
        found: Metrics = {}
        for name, row in zip(("ics_distance", "ics_cosine"), means, strict=True):
            found[name] = row.mean().item()
            found |= {f"{name}_{i + 2}": value for i, value in enumerate(row.tolist())}
        return found

    def figures(self) -> dict[str, Picture]:
        return {}

    def state_dict(self) -> dict[str, Any]:
        return {"sums": self.sums, "looks": self.looks}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.sums.copy_(state["sums"])
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
    """Distance over norm, and cosine, of each layer's gradients but the first one's."""
    found = []
    before = _gradients(model, old, [layer[0] for layer in layers], batch)
    mixed = dict(old)
    for previous, layer in pairwise(layers):
        mixed |= {name: new[name] for name in previous}
        (moved,) = _gradients(model, mixed, [layer[0]], batch)
        still = before[layers.index(layer)]
        distance = (moved - still).norm() / still.norm()
        found.append((distance.item(), functional.cosine_similarity(moved, still, dim=0).item()))
    return found


@torch.enable_grad()
def _gradients(
    model: nn.Module, parameters: dict[str, Tensor], names: list[str], batch: ImageBatch
) -> list[Tensor]:
    """Flat gradients of the mean loss by the parameters called `names`."""
    leaves = {name: parameters[name].detach().requires_grad_() for name in names}
    logits = functional_call(model, {**parameters, **leaves}, (batch.images,))
    loss = functional.cross_entropy(logits.float(), batch.labels)
    return [gradient.flatten() for gradient in torch.autograd.grad(loss, list(leaves.values()))]
