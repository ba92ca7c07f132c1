"""Linear classifiers in closed form."""

from __future__ import annotations

import torch
from torch import Tensor

from methods.boundary_tilting.linear.hyperplane import Hyperplane
from methods.boundary_tilting.linear.pair import Pair


def nearest_centroid(pair: Pair) -> Hyperplane:
    """The class of the nearer mean: the boundary halves the way between both means, at a right angle."""
    i, j = pair.centres
    return Hyperplane(j - i, float(i @ i - j @ j) / 2)


def ridge(pair: Pair, alpha: float) -> Hyperplane:
    """Least squares on the labels: minimises ||X w + b - y||^2 + alpha ||w||^2, the offset free.

    Raises:
        ValueError: where `alpha` is 0 and the points do not determine the weights.
    """
    mean, target = pair.x.mean(0), pair.y.mean()
    centred = pair.x - mean
    w = _solved(centred.T @ centred, alpha, centred.T @ (pair.y - target))
    return Hyperplane(w, float(target - mean @ w))


def discriminant(pair: Pair, shrinkage: float) -> Hyperplane:
    """Fisher's linear discriminant, of the classes' common covariance S shrunk to
    (1 - shrinkage) S + shrinkage mean(diag S) I; the classes count by their number of points.

    Raises:
        ValueError: where `shrinkage` is 0 and the covariance is singular.
    """
    i, j = pair.centres
    within = torch.where(pair.y[:, None] > 0, pair.x - j, pair.x - i)
    covariance = within.T @ within / len(within)
    ridge = shrinkage * covariance.diagonal().mean()
    w = _solved((1 - shrinkage) * covariance, float(ridge), j - i)
    prior = torch.log((pair.y > 0).sum() / (pair.y < 0).sum())
    return Hyperplane(w, float(prior - w @ (i + j) / 2))


def _solved(matrix: Tensor, added: float, target: Tensor) -> Tensor:
    matrix = matrix.clone()
    matrix.diagonal().add_(added)
    factor, failed = torch.linalg.cholesky_ex(matrix)
    least = matrix.diagonal().max() * torch.finfo(matrix.dtype).eps * len(matrix)
    if failed or factor.diagonal().min().square() <= least:
        raise ValueError(
            f"{added:g} leaves a singular matrix: pixels are always the same, or images fewer than pixels"
        )
    return torch.cholesky_solve(target[:, None], factor)[:, 0]
