"""How well the values of a code and the classes of a data set are one and the same.

The table of counts `[K, L]` has a row for each value of the code and a column for each class. What a value
stands for is fitted on training images, and counted on others.
"""

from __future__ import annotations

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor


def table(values: Tensor, labels: Tensor, shape: tuple[int, int]) -> Tensor:
    """Counts int64 `[K, L]` of values `[N]` in `[0, K)` and labels `[N]` in `[0, L)`."""
    return torch.bincount(values * shape[1] + labels, minlength=shape[0] * shape[1]).reshape(shape)


def one_to_one(counts: Tensor) -> Tensor:
    """The class int64 `[K]` that each value stands for, no two for the same one, by which most images are
    right (Kuhn, 1955); -1 for values beyond the number of classes."""
    rows, columns = linear_sum_assignment(counts.numpy(), maximize=True)
    found = torch.full((len(counts),), -1)
    found[torch.from_numpy(rows)] = torch.from_numpy(columns)
    return found


def majority(counts: Tensor) -> Tensor:
    """The most frequent class int64 `[K]` of each value; values may share one."""
    return counts.argmax(1)


def right(counts: Tensor, classes: Tensor) -> int:
    """How many images are right where value k stands for `classes[k]`, -1 for none."""
    taken = classes >= 0
    return int(counts[taken].gather(1, classes[taken, None]).sum())


def information(counts: Tensor) -> float:
    """Mutual information of the two in nats."""
    both, apart = _entropies(counts)
    return apart - both


def normalised_information(counts: Tensor) -> float:
    """Mutual information over the mean of the two entropies, 0 to 1; 0 where both are constant."""
    both, apart = _entropies(counts)
    return 2 - 2 * both / apart if apart > 0 else 0.0


def _entropies(counts: Tensor) -> tuple[float, float]:
    """Entropy in nats of both together, and the sum of those of each."""
    p = counts.double() / counts.sum()
    return _entropy(p.flatten()), _entropy(p.sum(1)) + _entropy(p.sum(0))


def purities(counts: Tensor) -> Tensor:
    """Share of the most frequent class in each value `[K]`, NaN where a value has no image."""
    return counts.double().amax(1) / counts.sum(1)


def _entropy(p: Tensor) -> float:
    return float(-torch.xlogy(p, p).sum())
