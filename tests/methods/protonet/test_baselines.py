"""Other ways of deciding against scikit-learn's and loops, and classes that are known by attributes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from torch import Tensor, nn

from methods.protonet.attributes import Described
from methods.protonet.baselines import medoids, scores_by, spherical_means
from methods.protonet.distance import Distance, cosine
from methods.protonet.encoder import Dense

WAY, D = 4, 6
LABELS = torch.tensor([0, 0, 1, 2, 2, 2, 2, 3]).expand(2, -1)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


SUPPORT, QUERY = draw(2, 8, D), draw(2, 40, D, seed=1)


def unit(z: Tensor) -> np.ndarray:
    return nn.functional.normalize(z, dim=-1).numpy()


@pytest.mark.parametrize("way", [WAY, 2])
@pytest.mark.parametrize("by", ["image", "cosine", "mean", "logistic"])
def test_decisions_are_scikit_learns(by: str, way: int) -> None:
    labels = LABELS if way == WAY else (LABELS > 1).long()
    theirs = {
        "image": KNeighborsClassifier(1),
        "cosine": KNeighborsClassifier(1, metric="cosine"),
        "mean": NearestCentroid(),
        "logistic": LogisticRegression(max_iter=1000),
    }[by]
    found = scores_by(by, SUPPORT, labels, QUERY, way).argmax(-1)
    for m in range(2):
        s, q = (unit(z[m]) if by == "logistic" else z[m].numpy() for z in (SUPPORT, QUERY))
        assert found[m].tolist() == theirs.fit(s, labels[m].numpy()).predict(q).tolist()
    assert len(set(found.flatten().tolist())) > 1


@pytest.mark.parametrize("distance", [Distance("sqeuclidean", D), Distance("cosine", D)])
def test_a_medoid_is_the_image_nearest_to_its_class(distance: Distance) -> None:
    found = medoids(SUPPORT, LABELS, WAY, distance)
    for m in range(2):
        for k in range(WAY):
            own = SUPPORT[m][LABELS[m] == k]
            sums = [sum(float(distance(a[None, None], b[None, None])) for b in own) for a in own]
            assert torch.equal(found[m, k], own[int(np.argmin(sums))])


def test_a_spherical_mean_has_the_mean_direction_and_length() -> None:
    found = spherical_means(SUPPORT, LABELS, WAY)
    for k in range(WAY):
        own = SUPPORT[1][LABELS[1] == k]
        direction = torch.stack([z / z.norm() for z in own]).mean(0)
        torch.testing.assert_close(found[1, k].norm(), own.norm(dim=-1).mean())
        torch.testing.assert_close(found[1, k] / found[1, k].norm(), direction / direction.norm())
    decided = scores_by("spherical", SUPPORT, LABELS, QUERY, WAY, cosine)
    torch.testing.assert_close(decided, -cosine(QUERY, found))


def test_prototypes_from_attributes_have_length_one_and_queries_have_not() -> None:
    """-|z - c|^2 with c = g(v) / |g(v)|, by hand."""
    head = Described(Distance("sqeuclidean", D), 5, D, unit=True).double()
    v = draw(2, WAY, 5, seed=3)
    c = head.prototypes(v)
    torch.testing.assert_close(c.norm(dim=-1), torch.ones(2, WAY).double())
    by_hand = -(QUERY.unsqueeze(2) - c.unsqueeze(1)).square().sum(-1)
    torch.testing.assert_close(head(v, LABELS, QUERY, WAY), by_hand.log_softmax(-1))
    plain = Described(Distance("sqeuclidean", D), 5, D, unit=False).double()
    plain.load_state_dict(head.state_dict())
    torch.testing.assert_close(plain.prototypes(v), v @ plain.map.weight.T + plain.map.bias)


def test_a_linear_encoder_is_one_map() -> None:
    dense = Dense(D, (), 3)
    assert [type(layer) for layer in dense] == [nn.Flatten, nn.Linear]
    assert dense.width == 3
    deep = Dense(D, (7, 5), 3)
    assert [tuple(p.shape) for p in deep.parameters() if p.ndim == 2] == [(7, D), (5, 7), (3, 5)]
