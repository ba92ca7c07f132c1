"""A small convolutional network, after LeNet (LeCun et al., 1998)."""

from __future__ import annotations

from torch import Tensor, nn

from methods.common.classify.resnet import convolution
from methods.common.norm.make import Norm

WIDTHS, UNITS = (16, 32), 54
"""Channels of both convolutions, and units of the layer after them; 98,524 numbers on MNIST."""


class SmallCNN(nn.Module):
    """Two convolutions of 5x5, each with norm, ReLU and a halving of sides, and two linear maps.

    Arguments:
        shape: `(C, H, W)` of an image, whose sides are 4 or more.
        classes: number of classes.
        norm: follows both convolutions.
    """

    def __init__(self, shape: tuple[int, int, int], classes: int, norm: Norm) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before, sides = shape[0], shape[1:]
        for width in WIDTHS:
            layers += [convolution(before, width, 5, norm), norm(width), nn.ReLU(), nn.MaxPool2d(2)]
            before, sides = width, (sides[0] // 2, sides[1] // 2)
        self.features = nn.Sequential(*layers, nn.Flatten())
        self.head = nn.Sequential(
            nn.Linear(before * sides[0] * sides[1], UNITS), nn.ReLU(), nn.Linear(UNITS, classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Images `[B, C, H, W]` to logits `[B, classes]`."""
        logits: Tensor = self.head(self.features(x))
        return logits
