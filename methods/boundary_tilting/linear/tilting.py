"""Tilting a boundary on purpose, and keeping an attack to a few directions."""

from __future__ import annotations

import math

from torch import Tensor

from methods.boundary_tilting.linear.hyperplane import Hyperplane
from methods.boundary_tilting.linear.pair import Pair


def tilted(plane: Hyperplane, pair: Pair, towards: Tensor, degrees: float) -> Hyperplane:
    """`plane`, whose unit normal u becomes `u + tan(degrees) v`; what it says of the points' mean stays.

    Arguments:
        towards: unit vector v, `[d]`.
        degrees: 0 to 90, 90 excluded: the angle by which the normal turns where v is across it.
    """
    slope, norm = math.tan(math.radians(degrees)), float(plane.w.norm())
    mean = pair.x.mean(0)
    return Hyperplane(plane.unit + slope * towards, plane.b / norm - slope * float(towards @ mean))


def across(plane: Hyperplane, pair: Pair, component: int) -> Tensor:
    """Unit vector of a principal component, counted from 0 or, as -1, from the last one, made to be across
    the normal; its sign is that by which a tilt leads away from the direction between the centres.

    The last component is one along which points hardly differ, such as a pixel that is always 0.
    """
    v = pair.spectrum[1][:, component]
    v = v - (v @ plane.unit) * plane.unit
    return v / v.norm() * (-1 if v @ pair.direction > 0 else 1)


def inside(plane: Hyperplane, pair: Pair, components: int) -> float:
    """How many times as long the smallest step across the boundary is that stays within the first principal
    components; infinite where the normal is across all of them."""
    share = (pair.spectrum[1][:, :components].T @ plane.unit).norm()
    return float(1 / share) if share > 0 else math.inf


def sign_error(plane: Hyperplane, x: Tensor, y: Tensor, eps: float) -> float:
    """Share of points `[n, d]` on the wrong side after a step of `eps` in the sign of the gradient
    (Goodfellow et al., 2015), which takes `eps ||w||_1` off each margin."""
    margin = y * (x @ plane.w + plane.b) - eps * plane.w.abs().sum()
    return float((margin <= 0).double().mean())
