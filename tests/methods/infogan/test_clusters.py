"""What values of a code stand for, against brute force and scikit-learn."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch
from sklearn import metrics

from methods.infogan import clusters


def tables(seed: int, shape: tuple[int, int] = (5, 5)) -> torch.Tensor:
    return torch.randint(0, 30, shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("seed", range(20))
def test_the_assignment_is_the_best_of_all(seed: int) -> None:
    counts = tables(seed)
    best = max(sum(int(counts[k, p[k]]) for k in range(5)) for p in permutations(range(5)))
    found = clusters.one_to_one(counts)
    assert sorted(found.tolist()) == list(range(5))
    assert clusters.right(counts, found) == best


def test_a_permutation_is_undone() -> None:
    order = torch.tensor([3, 1, 4, 0, 2])
    counts = torch.diag(torch.tensor([7, 9, 8, 5, 6]))[order.argsort()]
    found = clusters.one_to_one(counts)
    assert clusters.right(counts, found) == int(counts.sum())
    assert clusters.normalised_information(counts) == pytest.approx(1)


def test_more_values_than_classes_leave_some_without() -> None:
    counts = tables(1, (6, 4))
    found = clusters.one_to_one(counts)
    assert (found == -1).sum() == 2
    fewer = clusters.one_to_one(tables(2, (3, 5)))
    assert len(set(fewer.tolist())) == 3
    assert clusters.right(counts, clusters.majority(counts)) == int(counts.amax(1).sum())


@pytest.mark.parametrize("seed", range(5))
def test_tables_and_information_are_scikit_learns(seed: int) -> None:
    dice = torch.Generator().manual_seed(seed)
    values, labels = (torch.randint(0, n, (300,), generator=dice) for n in (6, 4))
    values[:100] = labels[:100]
    counts = clusters.table(values, labels, (6, 4))
    assert (counts.numpy() == metrics.cluster.contingency_matrix(values, labels)).all()
    theirs = metrics.normalized_mutual_info_score(labels, values)
    assert clusters.normalised_information(counts) == pytest.approx(theirs, abs=1e-9)
    nats = metrics.mutual_info_score(labels, values)
    assert clusters.information(counts) == pytest.approx(nats, abs=1e-9)


def test_what_is_constant_tells_nothing() -> None:
    counts = torch.zeros(3, 1, dtype=torch.int64)
    counts[0] = 10
    assert clusters.normalised_information(counts) == 0
    assert clusters.purities(counts)[0] == 1
    assert clusters.purities(counts)[1:].isnan().all()
