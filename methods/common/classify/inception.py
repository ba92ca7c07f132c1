"""The Inception network of the batch normalisation paper (its appendix, figure 5)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from methods.common.classify.resnet import convolution
from methods.common.norm.make import Norm

# channels of 1x1; 3x3 with its reduction; double 3x3 with its reduction; pooling, projected channels; stride
MODULES: dict[str, tuple[int, tuple[int, int], tuple[int, int], str, int, int]] = {
    "3a": (64, (64, 64), (64, 96), "average", 32, 1),
    "3b": (64, (64, 96), (64, 96), "average", 64, 1),
    "3c": (0, (128, 160), (64, 96), "max", 0, 2),
    "4a": (224, (64, 96), (96, 128), "average", 128, 1),
    "4b": (192, (96, 128), (96, 128), "average", 128, 1),
    "4c": (160, (128, 160), (128, 160), "average", 128, 1),
    "4d": (96, (128, 192), (160, 192), "average", 128, 1),
    "4e": (0, (128, 192), (192, 256), "max", 0, 2),
    "5a": (352, (192, 320), (160, 224), "average", 128, 1),
    "5b": (352, (192, 320), (192, 224), "max", 128, 1),
}


class Unit(nn.Sequential):
    """Convolution, norm, nonlinearity."""

    def __init__(
        self, before: int, after: int, size: int, norm: Norm, activation: Callable[[], nn.Module],
        stride: int = 1,
    ) -> None:  # fmt: skip
        super().__init__(convolution(before, after, size, norm, stride), norm(after), activation())


class Inception(nn.Module):
    """Four ways through a module, side by side; with a stride, three, of which the pooling passes through.

    Attributes:
        width: channels of the output.
    """

    def __init__(self, before: int, name: str, norm: Norm, activation: Callable[[], nn.Module]) -> None:
        super().__init__()
        one, (reduce3, three), (reduce33, double), pooling, projected, stride = MODULES[name]
        ways: list[nn.Module] = [Unit(before, one, 1, norm, activation)] if one else []
        ways.append(
            nn.Sequential(
                Unit(before, reduce3, 1, norm, activation),
                Unit(reduce3, three, 3, norm, activation, stride),
            )
        )
        ways.append(
            nn.Sequential(
                Unit(before, reduce33, 1, norm, activation),
                Unit(reduce33, double, 3, norm, activation),
                Unit(double, double, 3, norm, activation, stride),
            )
        )
        pool = nn.AvgPool2d(3, stride, 1) if pooling == "average" else nn.MaxPool2d(3, stride, 1)
        last = [Unit(before, projected, 1, norm, activation)] if projected else []
        ways.append(nn.Sequential(pool, *last))
        self.ways = nn.ModuleList(ways)
        self.width = one + three + double + (projected or before)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([way(x) for way in self.ways], 1)


class InceptionNet(nn.Module):
    """A stem of 7x7 and 3x3 convolutions, ten modules, the mean over all positions, and a linear map.

    Arguments:
        channels: of an image; its sides are 224 in the paper.
        classes: number of classes.
        dropout: before the linear map; none with batch normalisation (section 4.2.1).
    """

    def __init__(
        self, channels: int, classes: int, norm: Norm, activation: Callable[[], nn.Module],
        dropout: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        layers: list[nn.Module] = [
            Unit(channels, 64, 7, norm, activation, 2), nn.MaxPool2d(3, 2, 1),
            Unit(64, 64, 1, norm, activation), Unit(64, 192, 3, norm, activation), nn.MaxPool2d(3, 2, 1),
        ]  # fmt: skip
        width = 192
        for name in MODULES:
            module = Inception(width, name, norm, activation)
            layers.append(module)
            width = module.width
        self.features = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, classes))

    def forward(self, x: Tensor) -> Tensor:
        """Images `[B, C, H, W]` to logits `[B, classes]`."""
        logits: Tensor = self.head(self.features(x).mean((2, 3)))
        return logits
