"""A linear classifier of two classes, and what it does to a point."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Hyperplane:
    """The classifier `sign(w . x + b)`; the boundary is where it is 0.

    Attributes:
        w: normal, float64 `[d]`, not zero.
        b: offset.

    Raises:
        ValueError: where `w` is zero or not finite, so that there is no boundary.
    """

    w: Tensor
    b: float

    def __post_init__(self) -> None:
        norm = float(self.w.norm())
        if not 0 < norm < float("inf"):
            raise ValueError(f"a classifier whose weights have norm {norm:g} has no boundary")

    @property
    def unit(self) -> Tensor:
        """The normal of length 1, `[d]`."""
        return self.w / self.w.norm()

    def distance(self, x: Tensor) -> Tensor:
        """Signed distances `[n]` of points `[n, d]` from the boundary, in the units of the points."""
        return (x @ self.w + self.b) / self.w.norm()

    def projected(self, x: Tensor) -> Tensor:
        """The nearest points of the boundary `[n, d]`: where the classifier is undecided."""
        return x - self.distance(x)[:, None] * self.unit

    def mirror(self, x: Tensor) -> Tensor:
        """The points `[n, d]` as far on the other side: as sure, of the other class."""
        return x - 2 * self.distance(x)[:, None] * self.unit

    def errors(self, x: Tensor, y: Tensor) -> Tensor:
        """Whether each point `[n]` with label -1 or 1 is on the wrong side; on the boundary is wrong."""
        return y * self.distance(x) <= 0


def angle(a: Tensor, b: Tensor) -> float:
    """Angle between two vectors in degrees, 0 to 180, exact to rounding at both ends."""
    a, b = a / a.norm(), b / b.norm()
    return float(torch.rad2deg(2 * torch.atan2((a - b).norm(), (a + b).norm())))
