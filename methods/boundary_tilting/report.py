"""What is reported of a path of classifiers on one part of the data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from methods.boundary_tilting.linear.closed import nearest_centroid
from methods.boundary_tilting.linear.hyperplane import Hyperplane
from methods.boundary_tilting.linear.tilt import Tilt, tilt
from methods.boundary_tilting.linear.tilting import across, inside, sign_error, tilted
from methods.boundary_tilting.taxonomy import kind
from runner.api import Metrics

if TYPE_CHECKING:
    from methods.boundary_tilting.stage import TiltStage

FREE = (0.0, 30.0, 60.0, 80.0, 89.0, 89.9)
"""Angles at which the direction of least variance is tilted to, degrees."""


def error(plane: Hyperplane, x: Tensor, y: Tensor) -> float:
    """Share of points on the wrong side."""
    return float(plane.errors(x, y).double().mean())


def along(stage: TiltStage, split: str) -> Metrics:
    """What the strongest and the weakest penalty came to, and the one that is best in validation."""
    x, y = stage.part(split)
    planes, pair = stage.planes.found, stage.pair
    tilts, errors = [tilt(plane, pair) for plane in planes], [error(plane, x, y) for plane in planes]
    centroid = error(nearest_centroid(pair), x, y)
    angles, best = [one.angle for one in tilts], stage.chosen
    found: Metrics = {
        "error": errors[best],
        "error_lowest": min(errors),
        "error_centroid": centroid,
        "angle_fall": max([a - b for i, a in enumerate(angles) for b in angles[i:]]),
        "identity_error": max(abs(t.distance - pair.apart / 2 * t.inverse_strength) for t in tilts),
        "type": kind(best, angles, errors, centroid),
        "images": len(pair.x),
    }
    for name, at in (("", best), ("_strong", 0), ("_weak", -1)):
        found |= {f"{key}{name}": value for key, value in tilts[at]._asdict().items()}
        found[f"error{name}"] = errors[at]
    return {name: value for name, value in found.items() if value is not None}


def apart(stage: TiltStage, split: str) -> Metrics:
    """Classifiers in closed form, beside the path."""
    x, y = stage.part(split)
    return {
        name: value
        for one, plane in stage.beside.items()
        for name, value in (
            (f"error_{one}", error(plane, x, y)),
            (f"angle_{one}", tilt(plane, stage.pair).angle),
        )
    }


def tilting(stage: TiltStage, split: str) -> Metrics:
    """What the best classifier becomes where it is tilted on purpose, and where an attack is kept inside."""
    (x, y), pair, plane = stage.part(split), stage.pair, stage.planes.found[stage.chosen]
    free = [tilted(plane, pair, across(plane, pair, -1), angle) for angle in FREE]
    errors = [error(one, x, y) for one in free]
    first: Tilt = tilt(free[0], pair)
    top = tilted(plane, pair, across(plane, pair, 0), 45.0)
    found: Metrics = {
        "tilted_error_change": max(abs(e - errors[0]) for e in errors),
        "tilted_strength": first.distance / tilt(free[-1], pair).distance,
        "tilted_error_top": error(top, x, y),
    }
    weak = stage.planes.found[-1]
    for k in (k for k in stage.config.inside if k <= x.shape[1]):
        found |= {f"inside_{k}": inside(plane, pair, k), f"inside_{k}_weak": inside(weak, pair, k)}
    for eps in stage.config.eps:
        found[f"sign_error_{eps:g}"] = sign_error(plane, x, y, eps)
    return found
