"""How far embeddings are from prototypes (Snell, Swersky and Zemel, NeurIPS 2017, section 2.3)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Kind = Literal["sqeuclidean", "euclidean", "cosine", "mahalanobis"]


def sqeuclidean(z: Tensor, c: Tensor) -> Tensor:
    """Squared Euclidean distances `[..., Q, K]` of `z` `[..., Q, D]` from `c` `[..., K, D]`.

    As |z|^2 - 2 z c + |c|^2, one matrix product; rounding below 0 is cut off. All are shifted to the mean of
    `c` first: the squares of numbers far from 0 leave no digits for their differences.
    """
    mean = c.mean(-2, keepdim=True)
    z, c = z - mean, c - mean
    squares = z.square().sum(-1, keepdim=True) + c.square().sum(-1).unsqueeze(-2)
    return (squares - 2 * z @ c.transpose(-1, -2)).clamp(min=0)


def euclidean(z: Tensor, c: Tensor) -> Tensor:
    """Euclidean distances, whose gradient is 0 where they are 0."""
    squares = sqeuclidean(z, c)
    apart = squares > 0
    return torch.where(apart, torch.where(apart, squares, 1).sqrt(), 0)


def cosine(z: Tensor, c: Tensor) -> Tensor:
    """One less the cosine of the angle between them."""
    return 1 - functional.normalize(z, dim=-1) @ functional.normalize(c, dim=-1).transpose(-1, -2)


class Distance(nn.Module):
    """Distances times a scale.

    Arguments:
        kind: `mahalanobis` is the squared Euclidean one with a learned weight for each dimension, 1 at first.
        width: dimensions D.
        scale: factor of the distances, the inverse of a softmax's temperature.
        learned: whether the scale is learned, by its logarithm.
    """

    def __init__(self, kind: Kind, width: int, scale: float = 1.0, learned: bool = False) -> None:
        super().__init__()
        self.kind, self.fixed = kind, scale
        self.log_scale = nn.Parameter(torch.tensor(scale).log()) if learned else None
        self.log_weight = nn.Parameter(torch.zeros(width)) if kind == "mahalanobis" else None

    @property
    def scale(self) -> Tensor | float:
        """The factor as it is now."""
        return self.fixed if self.log_scale is None else self.log_scale.exp()

    def forward(self, z: Tensor, c: Tensor) -> Tensor:
        """`[..., Q, D]` and `[..., K, D]` to `[..., Q, K]`."""
        if self.log_weight is not None:
            root = (self.log_weight / 2).exp()
            return self.scale * sqeuclidean(z * root, c * root)
        return self.scale * {"sqeuclidean": sqeuclidean, "euclidean": euclidean, "cosine": cosine}[self.kind](
            z, c
        )
