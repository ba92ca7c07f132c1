"""Episodes: what is drawn, how evenly, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from datasets.types import ClassSplit, EpisodeSampler

COUNTS = np.array([7, 9, 8, 12, 7, 10, 7, 20])


def split(counts: np.ndarray = COUNTS) -> ClassSplit:
    """An image's pixels are its place in the part, so that it can be told."""
    images = torch.arange(int(counts.sum())).byte().view(-1, 1, 1, 1).expand(-1, 1, 2, 2).contiguous()
    names = [f"c{i}" for i in range(len(counts))]
    return ClassSplit(images, counts, names, ["g"] * len(counts))


def owner(place: int) -> int:
    return int(np.searchsorted(np.cumsum(COUNTS), place, side="right"))


@pytest.mark.parametrize("shot", [1, 3, [1, 2, 4, 1]])
def test_an_episode_is_what_was_asked_for(shot: int | list[int]) -> None:
    sampler = EpisodeSampler(split(), 4, shot, 3, seed=5, episodes=50)
    found = sampler.batch(torch.arange(50))
    for m in range(50):
        support, query = found.support[m, :, 0, 0, 0].tolist(), found.query[m, :, 0, 0, 0].tolist()
        assert (
            len({*support, *query})
            == len(support) + len(query)
            == (4 * shot if type(shot) is int else 8) + 12
        )
        classes = found.classes[m].tolist()
        assert len(set(classes)) == 4
        assert [owner(p) for p in support] == [classes[label] for label in found.support_labels[m]]
        assert [owner(p) for p in query] == [classes[label] for label in found.query_labels[m]]
        shots = np.bincount(found.support_labels[m], minlength=4)
        assert sorted(shots) == sorted([shot] * 4 if isinstance(shot, int) else shot)
        assert np.bincount(found.query_labels[m]).tolist() == [3] * 4
    if not isinstance(shot, int):
        assert len({tuple(labels.tolist()) for labels in found.support_labels}) > 1


def test_an_episode_is_a_function_of_seed_and_number() -> None:
    sampler = EpisodeSampler(split(), 4, 2, 3, seed=5, episodes=9)
    whole = sampler.batch(torch.arange(9))
    for order in ([8, 0, 3], [3], [5, 5]):
        part = EpisodeSampler(split(), 4, 2, 3, seed=5, episodes=2).batch(torch.tensor(order))
        for one, all_ in zip(part, whole, strict=True):
            assert torch.equal(one, all_[order])
    torch.manual_seed(99)
    np.random.seed(99)
    assert torch.equal(sampler.batch(torch.arange(9)).support, whole.support)
    other = EpisodeSampler(split(), 4, 2, 3, seed=6, episodes=9).batch(torch.arange(9))
    assert not torch.equal(other.support, whole.support)


def test_classes_and_images_are_drawn_evenly() -> None:
    """Chi-square over 10,000 episodes: of classes, of the images of each class, and of pairs of classes."""
    sampler = EpisodeSampler(split(), 3, 1, 2, seed=1, episodes=10_000)
    found = sampler.places(torch.arange(10_000))
    assert chisquare(np.bincount(found.classes.flatten())).pvalue > 1e-3
    drawn = np.bincount(np.concatenate((found.support.flatten(), found.query.flatten())))
    for part in np.split(drawn, np.cumsum(COUNTS)[:-1]):
        assert chisquare(part).pvalue > 1e-3
    pairs = np.bincount(found.classes[:, 0] * 8 + found.classes[:, 1], minlength=64)
    assert chisquare(pairs[pairs > 0]).pvalue > 1e-3
    assert (pairs > 0).sum() == 56


@pytest.mark.parametrize(
    ("way", "shot", "query", "said"),
    [
        (9, 1, 1, "way asks for 9 classes, and the part has 8"),
        (3, 5, 3, r"shot and method.query ask for 5 \+ 3 images of a class, and c0 has 7"),
        (3, [1, 2], 3, "one for each of 3 classes"),
        (3, 0, 3, "shot=0 takes classes that are described by attributes"),
        (3, [0, 1, 1], 3, "from 1 on"),
        (3, 1, 0, "from 1 on"),
    ],
)
def test_what_cannot_be_drawn_is_refused(way: int, shot: int | list[int], query: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        EpisodeSampler(split(), way, shot, query, 0, 1)


def test_an_empty_class_is_refused() -> None:
    with pytest.raises(ValueError, match="class c1 has no image"):
        split(np.array([3, 0, 2]))
