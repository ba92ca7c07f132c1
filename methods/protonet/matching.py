"""Matching networks, the baseline (Vinyals et al., NeurIPS 2016)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from methods.protonet.distance import Distance


class Attention(nn.Module):
    """Log-probabilities of classes: attention to the support images, summed over each class (equation 1).

    a(x, x_i) is the softmax over all support images of their negative distances from x. With one image of
    each class it is a prototypical network.
    """

    def __init__(self, distance: Distance) -> None:
        super().__init__()
        self.distance = distance

    def forward(self, support: Tensor, labels: Tensor, query: Tensor, way: int) -> Tensor:
        """Embeddings `[M, S, D]` with labels `[M, S]`, and `[M, Q, D]`, to `[M, Q, way]`."""
        attention = (-self.distance(query, support)).log_softmax(-1)  # [M, Q, S]
        of_class = labels.unsqueeze(-2) == torch.arange(way, device=labels.device).view(
            1, -1, 1
        )  # [M, way, S]
        masked = attention.unsqueeze(-2).masked_fill(~of_class.unsqueeze(1), -torch.inf)
        return masked.logsumexp(-1)


class FullContext(nn.Module):
    """Embeddings that know the whole support set (appendix A.1 and A.2), before attention.

    The support goes through a bidirectional LSTM, in its order; a query is read `steps` times by an LSTM that
    attends to the support.

    Arguments:
        head: what classifies the embeddings.
        width: their length D.
        steps: reads of a query.
    """

    def __init__(self, head: nn.Module, width: int, steps: int) -> None:
        super().__init__()
        self.head, self.steps = head, steps
        self.over = nn.LSTM(width, width, batch_first=True, bidirectional=True)
        self.cell = nn.LSTMCell(2 * width, width)

    def forward(self, support: Tensor, labels: Tensor, query: Tensor, way: int) -> Tensor:
        """As the head's."""
        known = self._support(support)
        found: Tensor = self.head(known, labels, self._query(query, known), way)
        return found

    def _support(self, support: Tensor) -> Tensor:
        forth, back = self.over(support)[0].chunk(2, -1)
        return forth + back + support

    def _query(self, query: Tensor, support: Tensor) -> Tensor:
        h, c = query, torch.zeros_like(query).flatten(0, 1)
        for _ in range(self.steps):
            weights = (h @ support.transpose(-1, -2)).softmax(-1)
            given = torch.cat((query, weights @ support), -1).flatten(0, 1)
            hidden, c = self.cell(given, (h.flatten(0, 1), c))
            h = hidden.view_as(query) + query
        return h
