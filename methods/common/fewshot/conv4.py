"""The four-block convolutional network of the few-shot literature (Vinyals et al., NeurIPS 2016)."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn


def block(before: int, after: int, track: bool) -> nn.Sequential:
    """Convolution, batch normalisation, ReLU, and the maximum of each 2x2 square.

    The maximum comes before the ReLU, which gives the same values and gradients for a quarter of the work.
    """
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1),
        nn.BatchNorm2d(after, track_running_stats=track),
        nn.MaxPool2d(2),
        nn.ReLU(),
    )


class Conv4(nn.Sequential):
    """Blocks that halve the sides each, then all positions in a row: 28x28 pixels to `filters` numbers.

    Arguments:
        shape: `(C, H, W)` of an image.
        filters: channels of each block; 64 in the paper.
        blocks: their number; 4 in the paper.
        track: whether batch normalisation keeps running moments for evaluation.

    Attributes:
        width: length of an embedding.

    Raises:
        ValueError: for what are no images, and for images too small to be halved so often.
    """

    def __init__(
        self, shape: tuple[int, ...], filters: int = 64, blocks: int = 4, track: bool = True
    ) -> None:
        channels, *sides = shape
        if len(sides) != 2:
            raise ValueError(
                f"the convolutional network takes images, and these are vectors of {channels} numbers; "
                f"method.encoder=linear (protonet, matching) or method.network=mlp (imaml) fits"
            )
        if min(sides) < 2**blocks:
            raise ValueError(
                f"method.blocks={blocks} halves images of {sides[0]}x{sides[1]} too often; "
                f"{min(sides).bit_length() - 1} is the most, or a larger dataset.size"
            )
        widths = [channels] + [filters] * blocks
        layers = [block(a, b, track) for a, b in pairwise(widths)]
        super().__init__(*layers, nn.Flatten())
        self.width = filters * (sides[0] >> blocks) * (sides[1] >> blocks)

    def forward(self, x: Tensor) -> Tensor:
        """Images `[B, C, H, W]` to embeddings `[B, width]`."""
        y: Tensor = super().forward(x)
        return y
