"""Prototypes, and classification by the nearest of them (section 2.2, equations 1 and 2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from methods.protonet.distance import Distance


def prototypes(support: Tensor, labels: Tensor, way: int) -> Tensor:
    """Means `[M, way, D]` of the support embeddings `[M, S, D]` of each class (equation 1).

    Labels int64 `[M, S]` lie in `[0, way)`; classes may have unlike numbers of images, from 1 on.
    """
    places = labels.unsqueeze(-1).expand_as(support)
    sums = support.new_zeros(len(support), way, support.shape[-1]).scatter_add(1, places, support)
    counts = torch.zeros_like(sums[..., 0]).scatter_add(1, labels, torch.ones_like(support[..., 0]))
    return sums / counts.unsqueeze(-1)


class Nearest(nn.Module):
    """Log-probabilities of classes: the softmax over negative distances from prototypes (equation 2)."""

    def __init__(self, distance: Distance) -> None:
        super().__init__()
        self.distance = distance

    def forward(self, support: Tensor, labels: Tensor, query: Tensor, way: int) -> Tensor:
        """Embeddings `[M, S, D]` with labels `[M, S]`, and `[M, Q, D]`, to `[M, Q, way]`."""
        distances: Tensor = self.distance(query, prototypes(support, labels, way))
        return (-distances).log_softmax(-1)
