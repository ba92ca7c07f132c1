"""What attacks are given, and what they find."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

Model = Callable[[Tensor], Tensor]
"""Images `[B, ...]` in [0, 1] to logits `[B, K]`."""


class Found(NamedTuple):
    """Images `[B, ...]`, and whether each of them is misclassified, bool `[B]`; where none was found, the
    image as it was."""

    images: Tensor
    success: Tensor

    def norms(self, start: Tensor) -> Tensor:
        """Euclidean norms `[B]` of what was added to `start`; infinite where nothing was found."""
        return torch.where(self.success, (self.images - start).flatten(1).norm(dim=1), torch.inf)


class Batch:
    """Images of which some are done with.

    Attributes:
        at: numbers int64 `[A]` of the images that are not, among all.
        found: what was found so far, of all images.
    """

    def __init__(self, model: Model, x: Tensor, y: Tensor) -> None:
        with torch.no_grad():
            wrong = model(x).argmax(1) != y
        self.found = Found(x.clone(), wrong)
        self.at = (~wrong).nonzero()[:, 0]

    def settle(self, images: Tensor, done: Tensor) -> Tensor:
        """Keeps those of `images` `[A, ...]` that are done, bool `[A]`; returns which go on, int64."""
        which = self.at[done]
        self.found.images[which], self.found.success[which] = images[done], True
        left = (~done).nonzero()[:, 0]
        self.at = self.at[left]
        return left


def spread(per_image: Tensor, like: Tensor) -> Tensor:
    """Numbers `[B]` with as many dimensions as `like` `[B, ...]`."""
    return per_image.reshape(-1, *[1] * (like.ndim - 1))


def unit(gradient: Tensor) -> Tensor:
    """Each image of `gradient` `[B, ...]` over its Euclidean norm; 0 stays 0."""
    norm = gradient.flatten(1).norm(dim=1)
    return gradient / spread(norm.clamp(min=torch.finfo(gradient.dtype).tiny), gradient)


def slope(model: Model, x: Tensor, loss: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """Logits `[B, K]` at `x`, and the gradient `[B, ...]` of the sum of `loss` of the logits."""
    x = x.detach().requires_grad_()
    with torch.enable_grad():
        logits = model(x)
        (gradient,) = torch.autograd.grad(loss(logits).sum(), x)
    return logits.detach(), gradient
