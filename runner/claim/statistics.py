"""What a few numbers say about a mean: intervals over seeds, and over items crossed with seeds.

Over few seeds the interval is Student's: a percentile bootstrap over three values covers far less than it
says. A bootstrap is used only over many independent items, such as images or episodes. Values that tie show
that they lie on a grid, such as counts do, which hides a part of their spread; the interval is widened by
one step of it. Where all agree nothing is known of the spread, and the interval has no ends.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

Values = NDArray[np.float64]
"""`[S]`, one number for each seed, or `[S, I]`, one for each seed and item."""

LEAST_ITEMS = 30
DRAWS = 5_000
ROUNDING = 2.0**-23
TIE = 1e-4
"""Values that are nearer than this share of their range are taken to be on one point of a grid."""


@dataclass(frozen=True)
class Interval:
    """An estimate and where the truth lies.

    Attributes:
        low, high: ends; infinite where one value says nothing about its spread.
        level: confidence, 0 to 1.
        how: what it was made from, in words.
    """

    estimate: float
    low: float
    high: float
    level: float
    how: str


def interval(values: Values, level: float, grid: float | None = None) -> Interval:
    """Interval of the mean of `[S]` or `[S, I]`; raises ValueError for fewer items than a bootstrap takes."""
    return over_seeds(values, level, grid) if values.ndim == 1 else over_items(values, level)


def over_seeds(values: Values, level: float, grid: float | None = None) -> Interval:
    """Student's interval of the mean of `[S]`.

    Arguments:
        grid: step of the grid that the values lie on, where it is known; 0 for what is exact.
    """
    count, mean = len(values), float(np.mean(values))
    how = f"t over {count} seed{'s' if count != 1 else ''}"
    if count == 1:
        return Interval(mean, -math.inf, math.inf, level, how)
    step = grid_step(values, grid)
    if math.isinf(step):
        return Interval(mean, -math.inf, math.inf, level, f"{how}, which do not differ and so say nothing")
    half = _quantile(level, count) * float(np.std(values, ddof=1)) / math.sqrt(count) + step
    return Interval(mean, mean - half, mean + half, level, f"{how}, {step:.3g} for ties" if step else how)


def grid_step(values: Values, grid: float | None = None) -> float:
    """What ties among values hide: a step of their grid, which is the least gap between them if it is not
    known; 0 where none tie, and infinite where all do."""
    gaps, spread = np.diff(np.sort(values)), float(np.ptp(values))
    tied = gaps <= max(TIE * spread, ROUNDING * float(np.abs(values).max()))
    if grid is not None or not tied.any():
        return grid if grid is not None and tied.any() else 0.0
    return math.inf if tied.all() else float(gaps[~tied].min())


def over_items(values: Values, level: float) -> Interval:
    """Interval of the mean of `[S, I]`: items are resampled, seeds give a t-distributed part.

    The items are the same for each seed, so a mean over items varies with the items drawn and, beside that,
    with the seed. The first part is a studentised bootstrap over items of their means over seeds, which bears
    skewed values better than a percentile one (Efron and Tibshirani, 1993, chapter 12); the second is
    Student's, with the standard error of the seeds' means. Their sum is drawn. One model, or models that do
    not differ, say nothing of how others would do: then the interval has no ends.
    """
    seeds, items = values.shape
    if items < LEAST_ITEMS:
        raise ValueError(f"{items} items are too few for a bootstrap, which takes at least {LEAST_ITEMS}")
    generator = np.random.default_rng(0)
    means = values.mean(0)
    if seeds == 1 or np.ptp(values.mean(1)) == 0:
        how = f"{items} items of one model, which says nothing of others"
        return Interval(float(means.mean()), -math.inf, math.inf, level, how)
    drawn = means.mean() - _error(means) * _studentised(means, generator)
    drawn = drawn + _error(values.mean(1)) * generator.standard_t(seeds - 1, DRAWS)
    how = f"bootstrap over {items} items, t over {seeds} seeds"
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(means.mean()), float(low), float(high), level, how)


def _error(values: Values) -> float:
    """Standard error of the mean."""
    return float(np.std(values, ddof=1)) / math.sqrt(len(values))


def _studentised(values: Values, generator: np.random.Generator) -> Values:
    """Means of resamples of `[I]` less the mean, in the resample's standard errors; 0 where it has none."""
    resampled = values[generator.integers(len(values), size=(DRAWS, len(values)))]
    error = resampled.std(1, ddof=1) / math.sqrt(len(values))
    off = resampled.mean(1) - values.mean()
    return np.divide(off, error, out=np.zeros(DRAWS), where=error > 0)


def corrected(level: float, comparisons: int) -> float:
    """The level of each of several intervals that hold together at `level` (Bonferroni)."""
    return 1 - (1 - level) / comparisons


def difference(a: Values, b: Values) -> Values:
    """`a - b`, where what may be rounding in single precision is no difference."""
    return np.where(_rounded(a, b), 0.0, a - b)


def log_ratio(a: Values, b: Values) -> Values:
    """Logarithm of `a / b` of positive values, 0 where they may differ by rounding in single precision."""
    return np.where(_rounded(a, b), 0.0, np.log(a) - np.log(b))


def _rounded(a: Values, b: Values) -> NDArray[np.bool_]:
    return np.abs(a - b) <= ROUNDING * np.maximum(np.abs(a), np.abs(b))


def line(x: Sequence[float], y: Values) -> float:
    """Slope of the least-squares line of `y` against `x`; exactly 0 where all of `y` are equal."""
    centred = np.asarray(x) - np.mean(x)
    return float(centred @ (y - y[0]) / (centred @ centred))


def _quantile(level: float, count: int) -> float:
    return float(student.ppf((1 + level) / 2, count - 1))
