"""Encoders: from images, or vectors, to embeddings."""

from __future__ import annotations

import math
from itertools import pairwise

from torch import nn

from methods.common.fewshot.conv4 import Conv4
from methods.protonet.config import FewShotConfig


class Dense(nn.Sequential):
    """Linear maps with ReLUs between them, of all numbers of an image or a vector.

    Attributes:
        width: length of an embedding.
    """

    def __init__(self, inputs: int, hidden: tuple[int, ...], width: int) -> None:
        layers: list[nn.Module] = [nn.Flatten()]
        for before, after in pairwise((inputs, *hidden)):
            layers += [nn.Linear(before, after), nn.ReLU()]
        super().__init__(*layers, nn.Linear((inputs, *hidden)[-1], width))
        self.width = width


def encoder(config: FewShotConfig, shape: tuple[int, ...]) -> Conv4 | Dense:
    """The encoder for images, or vectors, of this shape; raises ValueError where it does not fit them."""
    if config.encoder != "conv4":
        return Dense(math.prod(shape), config.hidden if config.encoder == "mlp" else (), config.width)
    return Conv4(shape, config.filters, config.blocks)
