"""How far a linear classifier is tilted, and what that does (Tanay and Griffin, 2016)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from methods.boundary_tilting.linear.hyperplane import Hyperplane, angle
from methods.boundary_tilting.linear.pair import Pair

LARGE_SHARE = 0.95
"""Share of the variance that the components of high variance hold."""


class Tilt(NamedTuple):
    """What is measured of a classifier on the points that it was fitted to.

    Attributes:
        angle: deviation from the nearest-centroid classifier, degrees.
        distance: adversarial distance, the mean signed distance of points from the boundary, in the units of
            the points; where classes are balanced it is `D / 2 cos(angle)`.
        strength: adversarial strength, the nearest-centroid classifier's distance over this one, 1 or more.
        inverse_strength: one over it, the cosine of the angle.
        error_distance: sum of the distances of misclassified points, over the number of all.
        low_variance: share of the squared normal outside the principal components that hold 95 % of the
            variance.
        variance: of the points along the normal.
        relative: median distance from the boundary over the median norm of a point.
    """

    angle: float
    distance: float
    strength: float
    inverse_strength: float
    error_distance: float
    low_variance: float
    variance: float
    relative: float


def tilt(plane: Hyperplane, pair: Pair) -> Tilt:
    """Measures `plane` on the points of `pair`."""
    unit, signed = plane.unit, pair.y * plane.distance(pair.x)
    cosine = float(torch.cos(torch.deg2rad(torch.tensor(angle(plane.w, pair.direction), dtype=unit.dtype))))
    variances, vectors = pair.spectrum
    shares = (vectors.T @ unit).square()
    return Tilt(
        angle=angle(plane.w, pair.direction),
        distance=float(signed.mean()),
        strength=1 / cosine,
        inverse_strength=cosine,
        error_distance=float(signed.clamp(max=0).abs().mean()),
        low_variance=float(shares[pair.components(LARGE_SHARE) :].sum()),
        variance=float(variances @ shares),
        relative=float(signed.abs().median() / pair.x.norm(dim=1).median()),
    )


def plane_of(plane: Hyperplane, pair: Pair) -> Tensor:
    """Orthonormal basis `[2, d]` of the plane in which the boundary is seen as a line: z, and the direction
    in which the normal deviates from it; any direction across z where it does not."""
    z = pair.direction
    across = plane.unit - (plane.unit @ z) * z
    if across.norm() < 1e-9:
        across = torch.zeros_like(z)
        across[z.abs().argmin()] = 1.0
        across = across - (across @ z) * z
    return torch.stack((z, across / across.norm()))
