"""Logged curves made ready to draw: put in order, averaged over seeds, thinned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

Numbers = NDArray[np.float64]

# Points of a drawn curve: two for each of so many buckets are more than a screen has columns for.
POINTS = 1200


@dataclass(frozen=True)
class Curve:
    """Values [N] at steps [N] that rise strictly."""

    steps: Numbers
    values: Numbers

    def thinned(self, points: int = POINTS) -> Curve:
        kept = thin(self.values, points)
        return Curve(self.steps[kept], self.values[kept])

    def after(self, step: float) -> Curve:
        """What comes after `step`, joined to the last point up to it."""
        first = max(0, int(np.searchsorted(self.steps, step, side="right")) - 1)
        return Curve(self.steps[first:], self.values[first:])


@dataclass(frozen=True)
class Band:
    """Mean and sample standard deviation [N] of `n` curves at steps [N] that all of them cover.

    `ends` [N] are those of the interval that was logged with a single curve.
    """

    steps: Numbers
    mean: Numbers
    sd: Numbers | None
    n: int
    ends: tuple[Numbers, Numbers] | None = None

    @property
    def reach(self) -> tuple[Numbers, Numbers] | None:
        """From where to where the band is drawn; None where there is nothing but the mean."""
        return self.ends if self.sd is None else (self.mean - self.sd, self.mean + self.sd)

    def thinned(self, points: int = POINTS) -> Band:
        kept = thin(self.mean, points)
        sd = None if self.sd is None else self.sd[kept]
        ends = None if self.ends is None else (self.ends[0][kept], self.ends[1][kept])
        return Band(self.steps[kept], self.mean[kept], sd, self.n, ends)


def make_curve(steps: ArrayLike, values: ArrayLike) -> Curve:
    """A curve in the order of its steps; of values logged twice at a step the later one counts."""
    at, found = np.asarray(steps, dtype=np.float64), np.asarray(values, dtype=np.float64)
    if np.all(at[1:] > at[:-1]):
        return Curve(at, found)
    order = np.argsort(at, kind="stable")
    at, found = at[order], found[order]
    last = np.append(at[1:] != at[:-1], True)
    return Curve(at[last], found[last])


def make_band(curves: Sequence[Curve]) -> Band | None:
    """Mean and standard deviation (n - 1) over curves, None where no step is covered by all of them.

    Curves with other steps are interpolated linearly at the union of all steps, and only between the latest
    first step and the earliest last one, so that every point is an average of all `n`.
    """
    if not curves:
        return None
    first, last = max(curve.steps[0] for curve in curves), min(curve.steps[-1] for curve in curves)
    union = np.unique(np.concatenate([curve.steps for curve in curves]))
    steps = union[(union >= first) & (union <= last)]
    if not len(steps):
        return None
    values = np.stack([np.interp(steps, curve.steps, curve.values) for curve in curves])
    sd = values.std(axis=0, ddof=1) if len(curves) > 1 else None
    return Band(steps, values.mean(axis=0), sd, len(curves))


def thin(values: Numbers, points: int) -> NDArray[np.intp]:
    """Indices of at most `points` values: the ends, and the lowest and highest of equally long buckets."""
    size = len(values)
    if size <= points:
        return np.arange(size)
    edges = np.linspace(0, size, (points - 2) // 2 + 1).astype(np.intp)
    spans = list(pairwise(edges))
    lowest = [start + int(values[start:end].argmin()) for start, end in spans]
    highest = [start + int(values[start:end].argmax()) for start, end in spans]
    return np.unique(np.array([0, size - 1, *lowest, *highest], dtype=np.intp))
