"""Letters that look alike, found by the correlation of their bitmaps."""

from __future__ import annotations

import numpy as np

ALIKE = 0.97
"""Two letters whose bitmaps correlate more than this are one class."""

BLOCK = 100
"""Classes whose bitmaps are compared with all others at a time."""


def correlation(levels: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Pearson correlations float64 `[N, M]` of levels uint8 `[N, D]` and `[M, D]`, the same on every machine.

    Levels are below 16 and `D` below 2^16, so that float32 holds every sum of products exactly.
    """
    products = (levels.astype(np.float32) @ other.astype(np.float32).T).astype(np.float64)
    size, sums, others = levels.shape[1], _sums(levels), _sums(other)
    covariance = size * products - sums[:, None] * others
    return covariance / np.sqrt(_variance(levels)[:, None] * _variance(other))


def _sums(levels: np.ndarray) -> np.ndarray:
    return levels.sum(1, dtype=np.int64).astype(np.float64)


def _variance(levels: np.ndarray) -> np.ndarray:
    squares = np.square(levels, dtype=np.int64).sum(1).astype(np.float64)
    return levels.shape[1] * squares - np.square(_sums(levels))


def alike(levels: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Which classes have bitmaps that correlate above `ALIKE`: bool `[K, K]`.

    Args:
        levels: uint8 `[N, D]` below 16, ordered by class.
        labels: int64 `[N]`, every class of `[0, K)` at least once.
    """
    starts = np.flatnonzero(np.diff(labels, prepend=-1))
    ends = np.append(starts, len(levels))
    found = np.zeros((len(starts), len(starts)), bool)
    for first in range(0, len(starts), BLOCK):
        start, end = ends[first], ends[min(first + BLOCK, len(starts))]
        pairs = correlation(levels[start:end], levels[start:])
        most = np.maximum.reduceat(pairs, starts[first:] - start, axis=1)
        own = starts[first : first + BLOCK] - start
        found[first : first + BLOCK, first:] = np.maximum.reduceat(most, own) > ALIKE
    return found | found.T


def first_of(related: np.ndarray) -> np.ndarray:
    """The lowest number int64 `[K]` to which each item is tied by a chain of relations, bool `[K, K]`."""
    first = np.arange(len(related))
    while True:
        lower = np.where(related | np.eye(len(related), dtype=bool), first, len(first)).min(1)
        if np.array_equal(lower, first):
            return first
        first = lower
