"""Prototypes of classes that are described, without an image of theirs (section 2.7)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from methods.protonet.distance import Distance


class Described(nn.Module):
    """Log-probabilities by the distances from g(v), a linear map of each class's attributes.

    Arguments:
        distance: of embeddings.
        attributes: numbers that describe a class.
        width: length of an embedding.
        unit: whether g(v) is divided by its length; the queries' embeddings are not.
    """

    def __init__(self, distance: Distance, attributes: int, width: int, unit: bool) -> None:
        super().__init__()
        self.distance, self.unit = distance, unit
        self.map = nn.Linear(attributes, width)

    def prototypes(self, attributes: Tensor) -> Tensor:
        """Attributes `[M, way, A]` to prototypes `[M, way, D]`."""
        c: Tensor = self.map(attributes)
        return functional.normalize(c, dim=-1) if self.unit else c

    def forward(self, support: Tensor, labels: Tensor, query: Tensor, way: int) -> Tensor:
        """Attributes `[M, way, A]` in the place of the support, and `[M, Q, D]`, to `[M, Q, way]`."""
        distances: Tensor = self.distance(query, self.prototypes(support))
        return (-distances).log_softmax(-1)
