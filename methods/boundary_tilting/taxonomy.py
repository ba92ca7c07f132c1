"""Kinds of classifiers along a path, by what their tilt is good for.

The paper's own numbering could not be confirmed; this one is operational. Errors are shares of test images.
"""

from __future__ import annotations

from collections.abc import Sequence

SMALL = 10.0
"""Degrees below which a boundary is not tilted: adversarial strength below 1.02."""

WORTH = 0.005
"""Share of errors that a tilt must take away to be worth it."""


def kind(at: int, angles: Sequence[float], errors: Sequence[float], centroid: float) -> int | None:
    """Type of the classifier `at` a place of a path: 0, 1, 2, or None where it is between 1 and 2.

    Type 0 is not tilted. Type 2 is tilted beyond use: another on the path has a smaller angle and no more
    errors. Type 1 is tilted to good effect: it has fewer errors than the nearest-centroid classifier, and
    than all of smaller angle, by `WORTH` or more.
    """
    if angles[at] < SMALL:
        return 0
    less = [error for angle, error in zip(angles, errors, strict=True) if angle < angles[at]]
    if any(error <= errors[at] for error in less):
        return 2
    return 1 if all(error >= errors[at] + WORTH for error in [centroid, *less]) else None
