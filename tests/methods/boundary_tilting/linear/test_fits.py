"""Fitted classifiers against scikit-learn's, and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.neighbors import NearestCentroid
from sklearn.svm import SVC
from torch import Tensor

from methods.boundary_tilting.linear.closed import discriminant, nearest_centroid, ridge
from methods.boundary_tilting.linear.hinge import hinge_machine
from methods.boundary_tilting.linear.hyperplane import Hyperplane, angle
from methods.boundary_tilting.linear.losses import Loss, hinge, logistic, smooth_hinge, squared_hinge
from methods.boundary_tilting.linear.newton import newton
from methods.boundary_tilting.linear.pair import Pair
from methods.boundary_tilting.linear.path import FITTERS, path

CS = [1e-6, 1e-4, 1e-2, 1.0, 1e2, 1e4]
CLOSE = 1e-3
"""Degrees: a hundredth of what the papers' figures are read to."""


@pytest.fixture(scope="module")
def pair() -> Pair:
    digits = load_digits()
    kept = np.isin(digits.target, (3, 7))
    y = np.where(digits.target[kept] == 7, 1.0, -1.0)
    return Pair(torch.tensor(digits.data[kept] / 16), torch.tensor(y))


def same(plane: Hyperplane, w: np.ndarray, b: float) -> None:
    """Directions to `CLOSE`, and the boundary's place to a thousandth of the weights."""
    assert angle(plane.w, torch.tensor(w)) < CLOSE
    assert plane.b == pytest.approx(b, abs=1e-3 * float(np.linalg.norm(w)))


def test_logistic_regression_is_scikit_learns(pair: Pair) -> None:
    for c, plane in zip(CS, path(pair, "logistic", CS), strict=True):
        theirs = LogisticRegression(solver="newton-cholesky", C=c, tol=1e-12, max_iter=1000)
        theirs.fit(pair.x.numpy(), pair.y.numpy())
        same(plane, np.ravel(theirs.coef_), float(np.ravel(theirs.intercept_)[0]))


def test_the_plain_hinge_is_libsvms(pair: Pair) -> None:
    for c, plane in zip(CS, path(pair, "hinge", CS), strict=True):
        theirs = SVC(kernel="linear", C=c, tol=1e-9).fit(pair.x.numpy(), pair.y.numpy())
        same(plane, np.ravel(theirs.coef_), float(np.ravel(theirs.intercept_)[0]))


@pytest.mark.parametrize("loss", [logistic, squared_hinge, smooth_hinge(0.5)])
def test_slopes_are_autograds(loss: Loss) -> None:
    margin = torch.linspace(-3, 3, 61, dtype=torch.float64, requires_grad=True)
    found = loss(margin)
    (first,) = torch.autograd.grad(found.value.sum(), margin, create_graph=True)
    torch.testing.assert_close(found.first, first)
    (second,) = torch.autograd.grad(found.first.sum(), margin)
    torch.testing.assert_close(found.second, second)


def test_a_rounded_hinge_is_a_hinge_but_for_its_corner() -> None:
    margin, width = torch.linspace(-3, 3, 601, dtype=torch.float64), 0.25
    above = smooth_hinge(width)(margin).value - hinge(margin)
    assert above.min() >= -1e-15
    assert float(above.max()) == pytest.approx(width / 4)
    assert above[(margin - 1).abs() >= width].abs().max() < 1e-15


@pytest.mark.parametrize("loss", sorted(FITTERS))
@pytest.mark.parametrize("c", [1e-3, 10.0])
def test_no_neighbour_has_a_smaller_risk(loss: str, c: float, pair: Pair) -> None:
    """Of 200 directions, with steps of three sizes."""
    (plane,) = path(pair, loss, [c])
    values = {"logistic": lambda m: logistic(m).value, "squared_hinge": lambda m: squared_hinge(m).value}

    def risk(w: Tensor, b: Tensor) -> Tensor:
        margin = pair.y * (pair.x @ w + b)
        return 0.5 * w.square().sum() + c * values.get(loss, hinge)(margin).sum()

    dice = torch.Generator().manual_seed(0)
    least = risk(plane.w, torch.tensor(plane.b))
    for size in (1e-3, 1e-2, 1e-1):
        for _ in range(200):
            away = torch.randn(len(plane.w) + 1, generator=dice, dtype=torch.float64)
            away *= size * plane.w.norm() / away.norm()
            assert risk(plane.w + away[:-1], plane.b + away[-1]) > least


@pytest.mark.parametrize("loss", sorted(FITTERS))
def test_more_points_than_pixels_and_fewer_are_one_solution(loss: str, pair: Pair) -> None:
    """Pixels that are always 0 change which side of the Hessian is inverted, and nothing else."""
    some = Pair(pair.x[::3], pair.y[::3])
    wide = torch.cat((some.x, torch.zeros(len(some.x), 400, dtype=torch.float64)), 1)
    for c in (1e-2, 1.0):
        narrow = FITTERS[loss](some.x, some.y, c, None)
        padded = FITTERS[loss](wide, some.y, c, None)
        assert angle(narrow.w, padded.w[: some.x.shape[1]]) < CLOSE
        assert not padded.w[some.x.shape[1] :].any()


def test_classes_that_are_unlike_in_number(pair: Pair) -> None:
    kept = torch.cat(((pair.y < 0).nonzero()[:, 0], (pair.y > 0).nonzero()[:20, 0]))
    few = Pair(pair.x[kept], pair.y[kept])
    for loss in ("logistic", "hinge"):
        (plane,) = path(few, loss, [1e-5])
        theirs = (
            LogisticRegression(solver="newton-cholesky", C=1e-5, tol=1e-12)
            if loss == "logistic"
            else SVC(kernel="linear", C=1e-5, tol=1e-9)
        ).fit(few.x.numpy(), few.y.numpy())
        same(plane, np.ravel(theirs.coef_), float(np.ravel(theirs.intercept_)[0]))


def test_an_offset_that_the_risk_leaves_open_is_the_middle_of_those_that_do_as_well(pair: Pair) -> None:
    """As in libsvm: with as many points of each class, and margins that are all below 1."""
    kept = torch.cat([(pair.y == label).nonzero()[:100, 0] for label in (-1, 1)])
    even = Pair(pair.x[kept], pair.y[kept])
    for c in (1e-6, 1e-4):
        (plane,) = path(even, "hinge", [c])
        theirs = SVC(kernel="linear", C=c, tol=1e-9).fit(even.x.numpy(), even.y.numpy())
        same(plane, theirs.coef_[0], theirs.intercept_[0])


def test_strengths_must_rise(pair: Pair) -> None:
    for cs in ([1.0, 1.0], [2.0, 1.0], [0.0, 1.0]):
        with pytest.raises(ValueError, match="must be positive and rise"):
            list(path(pair, "logistic", cs))


def test_what_is_not_finite_does_not_pass_for_a_solution(pair: Pair) -> None:
    wrong = pair.x.clone()
    wrong[0, 0] = torch.nan
    for fit in (lambda x: newton(x, pair.y, 1.0, logistic), lambda x: hinge_machine(x, pair.y, 1.0)):
        with pytest.raises((ArithmeticError, RuntimeError)):
            fit(wrong)


def test_nearest_centroid_is_scikit_learns(pair: Pair) -> None:
    theirs = NearestCentroid().fit(pair.x.numpy(), pair.y.numpy()).predict(pair.x.numpy())
    np.testing.assert_array_equal(nearest_centroid(pair).distance(pair.x).sign().numpy(), theirs)


def test_ridge_and_the_discriminant_are_scikit_learns(pair: Pair) -> None:
    x, y = pair.x.numpy(), pair.y.numpy()
    for alpha in (1e-2, 1.0, 100.0):
        theirs = RidgeClassifier(alpha=alpha, solver="cholesky").fit(x, y)
        same(ridge(pair, alpha), np.ravel(theirs.coef_), float(np.ravel(theirs.intercept_)[0]))
    for shrinkage in (0.01, 0.5, 1.0):
        lda = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage).fit(x, y)
        plane = discriminant(pair, shrinkage)
        assert angle(plane.w, torch.tensor(lda.coef_[0])) < 5e-2  # theirs shrinks each class by itself
        ours = plane.distance(pair.x).sign().numpy()
        assert (ours == lda.predict(x)).mean() > 0.99


def test_without_a_penalty_dead_pixels_are_a_sentence(pair: Pair) -> None:
    for made in (lambda: ridge(pair, 0.0), lambda: discriminant(pair, 0.0)):
        with pytest.raises(ValueError, match="singular"):
            made()
