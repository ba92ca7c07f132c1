"""M tasks at once: losses as functions of M vectors of parameters, their gradients and Hessian products.

The loss of each task depends on its own parameters alone, so the gradient of the sum of all losses holds
each task's gradient, and the Hessian of the sum, which is block-diagonal, multiplies each task's vector by
its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Losses = Callable[[Tensor], Tensor]
"""Parameters `[M, D]` to the loss of each task, `[M]`."""


@dataclass(frozen=True)
class Tasks:
    """What is learned from, and what is asked afterwards.

    Attributes:
        support: losses by which a task adapts.
        query: losses of the adapted parameters.
    """

    support: Losses
    query: Losses


@dataclass(frozen=True)
class HeadedTasks(Tasks):
    """Tasks in which the last layer alone adapts.

    Attributes:
        headed: from parameters `[M, D]`, whose features are had once, to losses of the last layer's alone,
            the last `D - body` entries.
        body: entries of the layers before.
    """

    headed: Callable[[Tensor], Tasks]
    body: int


@torch.enable_grad()
def gradient(losses: Losses, phi: Tensor) -> Tensor:
    """Gradients `[M, D]` of each task's loss at `phi` `[M, D]`; no graph is kept."""
    phi = phi.detach().requires_grad_()
    (found,) = torch.autograd.grad(losses(phi).sum(), phi)
    return found


def hessian(losses: Losses, phi: Tensor) -> Callable[[Tensor], Tensor]:
    """Products `[M, D]` of each task's Hessian at `phi` with vectors `[M, D]`.

    The graph of the gradient is made once, and gone through once for each product.
    """
    phi = phi.detach().requires_grad_()
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(losses(phi).sum(), phi, create_graph=True)

    def times(v: Tensor) -> Tensor:
        if not slope.requires_grad:  # a loss that is linear in the parameters
            return torch.zeros_like(v)
        (found,) = torch.autograd.grad(slope, phi, v, retain_graph=True, allow_unused=True)
        return torch.zeros_like(v) if found is None else found

    return times
