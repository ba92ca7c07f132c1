"""Distances, angles and what they have to do with each other."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from methods.boundary_tilting.linear.closed import nearest_centroid
from methods.boundary_tilting.linear.hyperplane import Hyperplane, angle
from methods.boundary_tilting.linear.pair import Pair
from methods.boundary_tilting.linear.path import FITTERS, path
from methods.boundary_tilting.linear.tilt import plane_of, tilt


def pair(each: int = 60, d: int = 12, seed: int = 0) -> Pair:
    dice = torch.Generator().manual_seed(seed)
    x = torch.randn(2 * each, d, generator=dice, dtype=torch.float64) * torch.logspace(0, -2, d).double()
    y = torch.cat((-torch.ones(each), torch.ones(each))).double()
    x[y > 0] += torch.rand(d, generator=dice, dtype=torch.float64)
    return Pair(x, y)


def plane(d: int = 12, seed: int = 3) -> Hyperplane:
    return Hyperplane(torch.randn(d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64), 0.7)


def test_a_projected_point_is_on_the_boundary_and_the_nearest_there() -> None:
    x, made = pair().x, plane()
    there = made.projected(x)
    torch.testing.assert_close(made.distance(there), torch.zeros(len(x)).double(), atol=1e-12, rtol=0)
    torch.testing.assert_close((x - there).norm(dim=1), made.distance(x).abs(), atol=1e-12, rtol=0)
    along = torch.randn(12, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    along -= (along @ made.unit) * made.unit
    assert ((x - there - 0.1 * along).norm(dim=1) > made.distance(x).abs()).all()


def test_the_mirror_image_of_a_mirror_image_is_the_point() -> None:
    x, made = pair().x, plane()
    torch.testing.assert_close(made.mirror(made.mirror(x)), x, atol=1e-12, rtol=0)
    torch.testing.assert_close(made.distance(made.mirror(x)), -made.distance(x), atol=1e-12, rtol=0)
    torch.testing.assert_close((x + made.mirror(x)) / 2, made.projected(x), atol=1e-12, rtol=0)


@pytest.mark.parametrize("loss", sorted(FITTERS))
def test_the_adversarial_distance_is_half_the_way_times_the_cosine(loss: str) -> None:
    both = pair()
    for fitted in path(both, loss, [1e-4, 1e-1, 1e2]):
        found = tilt(fitted, both)
        assert found.distance == pytest.approx(both.apart / 2 * math.cos(math.radians(found.angle)), abs=1e-9)
        centred = tilt(nearest_centroid(both), both)
        assert found.strength == pytest.approx(centred.distance / found.distance, rel=1e-9)
        assert found.strength * found.inverse_strength == pytest.approx(1)


def test_classes_unlike_in_number_break_the_identity() -> None:
    both = pair()
    uneven = Pair(both.x[:90], both.y[:90])
    found = tilt(plane(), uneven)
    assert abs(found.distance - uneven.apart / 2 * found.inverse_strength) > 1e-3


@pytest.mark.parametrize("degrees", [0.0, 1e-7, 30.0, 89.9999999, 90.0, 180.0])
def test_angles_are_exact_at_both_ends(degrees: float) -> None:
    turn = math.radians(degrees)
    a = torch.tensor([3.0, 0.0], dtype=torch.float64)
    b = 5 * torch.tensor([math.cos(turn), math.sin(turn)], dtype=torch.float64)
    assert angle(a, b) == pytest.approx(degrees, abs=1e-12, rel=1e-9)


def test_the_nearest_centroid_classifier_is_not_tilted() -> None:
    both = pair()
    found = tilt(nearest_centroid(both), both)
    assert found.angle < 1e-6
    assert found.strength == pytest.approx(1)
    assert found.distance == pytest.approx(both.apart / 2)


def test_components_are_scikit_learns() -> None:
    both = pair()
    theirs = PCA().fit(both.x.numpy())
    variances, vectors = both.spectrum
    np.testing.assert_allclose(
        variances.numpy() * len(both.x) / (len(both.x) - 1), theirs.explained_variance_
    )
    np.testing.assert_allclose(
        (vectors.T @ torch.tensor(theirs.components_.T)).abs().numpy(), np.eye(12), atol=1e-8
    )
    for share in (0.5, 0.95, 0.999):
        held = PCA(n_components=share, svd_solver="full").fit(both.x.numpy())
        assert both.components(share) == held.n_components_


def test_shares_of_the_normal_and_variance_along_it() -> None:
    both = pair()
    variances, vectors = both.spectrum
    k = both.components()
    found = tilt(Hyperplane(vectors[:, 0] + 2 * vectors[:, k], 0.0), both)
    assert found.low_variance == pytest.approx(4 / 5)
    assert found.variance == pytest.approx(float((variances[0] + 4 * variances[k]) / 5))
    normal = plane()
    along = both.x @ normal.unit
    assert tilt(normal, both).variance == pytest.approx(float(along.var(correction=0)))


def test_errors_are_counted_and_measured() -> None:
    x = torch.tensor([[-2.0], [1.0], [3.0], [-1.0]], dtype=torch.float64)
    both = Pair(x, torch.tensor([-1.0, -1, 1, 1], dtype=torch.float64))
    made = Hyperplane(torch.tensor([2.0], dtype=torch.float64), 0.0)
    assert made.errors(both.x, both.y).tolist() == [False, True, False, True]
    assert tilt(made, both).error_distance == pytest.approx((1 + 1) / 4)
    assert tilt(made, both).relative == pytest.approx(1.0)


def test_the_boundary_is_a_line_in_the_tilting_plane() -> None:
    """Points move along the third direction without their distance changing."""
    both, made = pair(), plane()
    basis = plane_of(made, both)
    torch.testing.assert_close(basis @ basis.T, torch.eye(2, dtype=torch.float64))
    normal = basis @ made.unit
    assert float(normal.norm()) == pytest.approx(1)
    assert math.degrees(math.atan2(normal[1], normal[0])) == pytest.approx(angle(made.w, both.direction))
    straight = plane_of(nearest_centroid(both), both)
    torch.testing.assert_close(straight @ straight.T, torch.eye(2, dtype=torch.float64))


@pytest.mark.parametrize(
    ("y", "said"), [([-1.0, -1.0], "the second of the two"), ([1.0, 1.0], "the first of the two")]
)
def test_one_class_is_a_sentence(y: list[float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Pair(torch.eye(2, dtype=torch.float64), torch.tensor(y, dtype=torch.float64))


def test_classes_with_one_mean_are_a_sentence() -> None:
    x = torch.tensor([[1.0], [-1.0], [1.0], [-1.0]], dtype=torch.float64)
    with pytest.raises(ValueError, match="the same mean"):
        Pair(x, torch.tensor([-1.0, -1, 1, 1], dtype=torch.float64))


@pytest.mark.parametrize("w", [[0.0, 0.0], [math.nan, 1.0], [math.inf, 1.0]])
def test_weights_without_a_direction_are_refused(w: list[float]) -> None:
    with pytest.raises(ValueError, match="no boundary"):
        Hyperplane(torch.tensor(w, dtype=torch.float64), 0.0)
