"""Accuracy over episodes, and how sure one can be of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

Z = 1.96
"""Deviations on each side of the mean in the papers' 95 % intervals."""


def right(scores: Tensor, labels: Tensor) -> Tensor:
    """Share of right answers in each episode, float64 `[M]`; scores are `[M, Q, way]`, labels `[M, Q]`."""
    return (scores.argmax(-1) == labels).double().mean(-1)


def interval(accuracies: Tensor) -> tuple[float, float, float]:
    """Mean of the episodes' accuracies `[N]`, and the ends of its 95 % interval.

    The unit is the episode, for the answers within one depend on each other.
    """
    mean = accuracies.mean().item()
    half = Z * accuracies.std().item() / math.sqrt(len(accuracies)) if len(accuracies) > 1 else math.nan
    return mean, mean - half, mean + half


def name_of(way: int, shot: int | Sequence[int]) -> str:
    """What episodes of a size are called, such as `5w1s`."""
    return f"{way}w{shot}s" if isinstance(shot, int) else f"{way}w{'_'.join(map(str, shot))}s"
