"""What the layers of a network receive while images go through it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

NONLINEAR = (nn.ReLU, nn.Sigmoid)


@torch.no_grad()
def received(model: nn.Module, images: Tensor, which: Callable[[nn.Module], bool]) -> dict[str, Tensor]:
    """The input of each module for which `which` holds, by its name, in the order of the forward pass."""
    found: dict[str, Tensor] = {}

    def hook(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        # A copy, for what comes next may overwrite it.
        return lambda module, given: found.__setitem__(name, given[0].detach().clone())

    hooks = [m.register_forward_pre_hook(hook(name)) for name, m in model.named_modules() if which(m)]
    try:
        model(images)
    finally:
        for one in hooks:
            one.remove()
    return found


def preactivations(model: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """The input of each nonlinearity."""
    return received(model, images, lambda module: isinstance(module, NONLINEAR))
