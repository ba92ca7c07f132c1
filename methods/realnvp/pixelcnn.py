"""Models of integer pixels to compare a flow with: a small PixelCNN, and pixels independent of each other."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Shape = tuple[int, int, int]


class MaskedConv2d(nn.Conv2d):
    """Convolution that sees what comes before a pixel: rows above, and pixels to its left (van den Oord et
    al., ICML 2016).

    Of its own position it sees channels of earlier colours, and of the same colour unless `first`. Input and
    output channels are divided evenly among the colours, in order.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, colours: int, first: bool) -> None:
        super().__init__(inputs, outputs, kernel, padding=kernel // 2)
        mask = torch.ones(outputs, inputs, kernel, kernel)
        middle = kernel // 2
        mask[:, :, middle, middle + 1 :] = 0
        mask[:, :, middle + 1 :] = 0
        of_output = torch.arange(outputs) * colours // outputs
        of_input = torch.arange(inputs) * colours // inputs
        seen = of_input[None] < of_output[:, None] if first else of_input[None] <= of_output[:, None]
        mask[:, :, middle, middle] = seen.float()
        self.mask: Tensor
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.mask, self.bias, padding=self.padding)


class MaskedBlock(nn.Module):
    """1x1, 3x3 and 1x1 masked convolutions added to their input; `[B, width, H, W]` throughout."""

    def __init__(self, width: int, colours: int, dropout: float) -> None:
        super().__init__()
        half = width // 2
        self.layers = nn.Sequential(
            nn.ReLU(),
            MaskedConv2d(width, half, 1, colours, first=False),
            nn.ReLU(),
            MaskedConv2d(half, half, 3, colours, first=False),
            nn.ReLU(),
            nn.Dropout(dropout),
            MaskedConv2d(half, width, 1, colours, first=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        h: Tensor = self.layers(x)
        return x + h


class PixelCNN(nn.Module):
    """Each pixel's distribution over all grey levels, given the pixels before it.

    Args:
        shape: `(C, H, W)`.
        levels: number of grey levels.
        width: feature maps, a multiple of 2 C.
        blocks: residual blocks.
    """

    def __init__(self, shape: Shape, levels: int, width: int, blocks: int, dropout: float) -> None:
        super().__init__()
        colours = shape[0]
        if width % (2 * colours):
            raise ValueError(f"method.width={width} must be a multiple of {2 * colours}, twice the colours")
        self.shape, self.levels = shape, levels
        self.first = MaskedConv2d(colours, width, 7, colours, first=True)
        self.blocks = nn.Sequential(*(MaskedBlock(width, colours, dropout) for _ in range(blocks)))
        self.last = nn.Sequential(
            nn.ReLU(),
            MaskedConv2d(width, width, 1, colours, first=False),
            nn.ReLU(),
            MaskedConv2d(width, colours * levels, 1, colours, first=False),
        )

    def log_probabilities(self, images: Tensor) -> Tensor:
        """`[B, C, levels, H, W]`, normalised over the levels, of integer images `[B, C, H, W]`."""
        x = images.float() * (2 / (self.levels - 1)) - 1
        h = self.last(self.blocks(self.first(x)))
        return h.unflatten(1, (self.shape[0], self.levels)).log_softmax(2)

    def forward(self, images: Tensor) -> Tensor:
        """Log-likelihood `[B]` in nats."""
        index = images.long().unsqueeze(2)
        return self.log_probabilities(images).gather(2, index).flatten(1).sum(1)

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator) -> tuple[Tensor, int]:
        """Integer images `[count, C, H, W]`, and how often the network was asked: once for each value."""
        device = self.first.weight.device
        images = torch.zeros(count, *self.shape, dtype=torch.int64, device=device)
        channels, height, width = self.shape
        for row in range(height):
            for column in range(width):
                for channel in range(channels):
                    said = self.log_probabilities(images)[:, channel, :, row, column].exp()
                    images[:, channel, row, column] = torch.multinomial(said, 1, generator=generator)[:, 0]
        return images, images[0].numel()


class Pixelwise(nn.Module):
    """Every pixel by itself: a logistic distribution of its own, discretised to the grey levels.

    The outermost levels take all that lies beyond them (Salimans et al., PixelCNN++, ICLR 2017, equation 2).
    """

    def __init__(self, shape: Shape, levels: int) -> None:
        super().__init__()
        self.shape, self.levels = shape, levels
        self.mean = nn.Parameter(torch.full(shape, (levels - 1) / 2))
        self.log_scale = nn.Parameter(torch.full(shape, float(levels) / 8).log())

    def forward(self, images: Tensor) -> Tensor:
        """Log-likelihood `[B]` in nats of integer images `[B, C, H, W]`."""
        centred = images.float() - self.mean
        scale = self.log_scale.exp()
        above, below = (centred + 0.5) / scale, (centred - 0.5) / scale
        # log(sigmoid(a) - sigmoid(b)) without the difference: sigmoid(a) sigmoid(-b) (1 - exp(b - a))
        inner = F.logsigmoid(above) + F.logsigmoid(-below) + torch.log1p(-torch.exp(-1 / scale))
        found = torch.where(images == 0, F.logsigmoid(above), inner)
        found = torch.where(images == self.levels - 1, F.logsigmoid(-below), found)
        return found.flatten(1).sum(1)

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator) -> tuple[Tensor, int]:
        """Integer images `[count, C, H, W]`, and how often the model was asked: once."""
        uniform = torch.rand(count, *self.shape, generator=generator, device=self.mean.device)
        value = self.mean + self.log_scale.exp() * torch.logit(uniform, eps=1e-6)
        return value.round().clamp(0, self.levels - 1).long(), 1
