"""Losses of a margin m = y (w . x + b), with two derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor
from torch.nn.functional import softplus


class Slopes(NamedTuple):
    """A loss at margins `[n]`: its values, and its first and second derivatives."""

    value: Tensor
    first: Tensor
    second: Tensor


Loss = Callable[[Tensor], Slopes]


def logistic(margin: Tensor) -> Slopes:
    """log(1 + exp(-m))."""
    wrong = (-margin).sigmoid()
    return Slopes(softplus(-margin), -wrong, wrong * margin.sigmoid())


def squared_hinge(margin: Tensor) -> Slopes:
    """max(0, 1 - m)^2; the second derivative is that of the side that counts."""
    short = (1 - margin).clamp(min=0)
    return Slopes(short.square(), -2 * short, 2 * (short > 0).to(margin.dtype))


def hinge(margin: Tensor) -> Tensor:
    """max(0, 1 - m)."""
    return (1 - margin).clamp(min=0)


def smooth_hinge(width: float) -> Loss:
    """The hinge with its corner rounded: a parabola for margins within `width` of 1, and never more than
    `width / 4` above it (Chapelle, Training a support vector machine in the primal, 2007, section 3.3)."""

    def loss(margin: Tensor) -> Slopes:
        slope = ((1 + width - margin) / (2 * width)).clamp(0, 1)
        inside = (slope > 0) & (slope < 1)
        value = width * slope.square() + (1 - width - margin).clamp(min=0)
        return Slopes(value, -slope, inside.to(margin.dtype) / (2 * width))

    return loss
