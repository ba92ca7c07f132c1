"""VGG-16 (Simonyan and Zisserman, 2015) with any normalisation."""

from __future__ import annotations

from torch import Tensor, nn

from methods.common.classify.resnet import convolution
from methods.common.norm.make import Norm

STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""Channels and convolutions of each stage; halves the sides after each (configuration D)."""


class VGG16(nn.Module):
    """Thirteen convolutions of 3x3, each with its norm and ReLU, and three fully connected layers.

    Arguments:
        channels: of an image, whose sides are 32 or more.
        classes: number of classes.
        norm: follows every convolution.
        dropout: before the second and third fully connected layer; 0.5 in the paper.
        units: of the fully connected layers; 4096 in the paper.
    """

    def __init__(
        self, channels: int, classes: int, norm: Norm, dropout: float = 0.5, units: int = 4096
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = channels
        for width, count in STAGES:
            for _ in range(count):
                layers += [convolution(before, width, 3, norm), norm(width), nn.ReLU(inplace=True)]
                before = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(7)
        self.head = nn.Sequential(
            nn.Flatten(), nn.Linear(512 * 7 * 7, units), nn.ReLU(inplace=True), nn.Dropout(dropout),
            nn.Linear(units, units), nn.ReLU(inplace=True), nn.Dropout(dropout), nn.Linear(units, classes),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """Images `[B, C, H, W]` to logits `[B, classes]`."""
        logits: Tensor = self.head(self.pool(self.features(x)))
        return logits
