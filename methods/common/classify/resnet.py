"""Residual networks (He et al., 2016): small ones for 32 pixel images, ResNet-50 and 101 for ImageNet."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from methods.common.classify.config import BOTTLENECKS
from methods.common.norm.make import Norm


def convolution(before: int, after: int, size: int, norm: Norm, stride: int = 1) -> nn.Conv2d:
    """A convolution that keeps the size but for its stride; it has an offset where no normalisation
    follows."""
    return nn.Conv2d(before, after, size, stride, size // 2, bias=norm.kind == "none")


class Block(nn.Module):
    """`relu(shortcut(x) + residual(x))`; the shortcut is the identity, or a 1x1 convolution with its norm.

    Arguments:
        widths: channels before the block, and after each of its convolutions.
        sizes: of the convolutions; the first of size 3 has the stride (as in torchvision's version 1.5).
        zero: whether the last norm begins with a gain of 0, and the block with its shortcut alone (Goyal et
            al., 2017).
    """

    def __init__(
        self, widths: Sequence[int], sizes: Sequence[int], norm: Norm, stride: int, zero: bool
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        strides = [stride if i == list(sizes).index(3) else 1 for i in range(len(sizes))]
        for before, after, size, step in zip(widths, widths[1:], sizes, strides, strict=False):
            layers += [convolution(before, after, size, norm, step), norm(after), nn.ReLU(inplace=True)]
        self.residual = nn.Sequential(*layers[:-1])
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or widths[0] != widths[-1]:
            self.shortcut = nn.Sequential(
                convolution(widths[0], widths[-1], 1, norm, stride), norm(widths[-1])
            )
        self.relu = nn.ReLU(inplace=True)
        if zero and isinstance(gain := getattr(layers[-2], "weight", None), nn.Parameter):
            nn.init.zeros_(gain)

    def forward(self, x: Tensor) -> Tensor:
        """`[B, widths[0], H, W]` to `[B, widths[-1], H / stride, W / stride]`."""
        y: Tensor = self.relu(self.residual(x) + self.shortcut(x))
        return y


class ResNet(nn.Module):
    """A stem, stages of blocks, the mean over all positions, and a linear map.

    Arguments:
        channels: of an image.
        classes: number of classes.
        depth: 6 n + 2 with n blocks in each of three stages (section 4.2), or 50 or 101.
        width: channels of the first stage, 16 or 64 in the paper.
        zero: see `Block`.

    Raises:
        ValueError: for a depth that there is no network of.
    """

    def __init__(
        self, channels: int, classes: int, depth: int, width: int, norm: Norm, zero: bool = True
    ) -> None:
        super().__init__()
        if depth not in BOTTLENECKS and (depth < 8 or depth % 6 != 2):
            raise ValueError(f"there is no ResNet of depth {depth}; depths are 8, 14, 20, ..., 50 and 101")
        large = depth in BOTTLENECKS
        self.stem = _stem(channels, width, norm, large)
        blocks = BOTTLENECKS[depth] if large else ((depth - 2) // 6,) * 3
        stages, before = [], width
        for i, count in enumerate(blocks):
            inner = width * 2**i
            widths, sizes = ((inner, inner, 4 * inner), (1, 3, 1)) if large else ((inner, inner), (3, 3))
            stage = []
            for j in range(count):
                stride = 2 if j == 0 and i > 0 else 1
                stage.append(Block((before, *widths), sizes, norm, stride, zero))
                before = widths[-1]
            stages.append(nn.Sequential(*stage))
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(before, classes)

    def features(self, x: Tensor) -> Tensor:
        """Images `[B, C, H, W]` to the last stage's output."""
        y: Tensor = self.stages(self.stem(x))
        return y

    def forward(self, x: Tensor) -> Tensor:
        """Images `[B, C, H, W]` to logits `[B, classes]`."""
        logits: Tensor = self.head(self.features(x).mean((2, 3)))
        return logits


def _stem(channels: int, width: int, norm: Norm, large: bool) -> nn.Sequential:
    first = convolution(channels, width, 7 if large else 3, norm, 2 if large else 1)
    layers = [first, norm(width), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, *([nn.MaxPool2d(3, 2, 1)] if large else []))
