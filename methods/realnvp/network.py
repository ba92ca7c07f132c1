"""The networks that compute scale and translation: pre-activation residual networks with a sum of skips."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.realnvp.weight_norm import WeightNormConv2d, pointwise


class ShiftNorm2d(nn.Module):
    """Batch normalisation with a learned offset but no gain: what follows is a weight-normalised convolution.

    Epsilon and the share of a new batch in the running moments (`momentum`) are the authors' code's.
    """

    eps = 1e-4

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.momentum = 0.1
        self.replays = False
        self.bias = nn.Parameter(torch.zeros(channels))
        self.running_mean: Tensor
        self.running_var: Tensor
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """`[B, C, H, W]` to the same shape; updates the running moments in training mode, unless the batch
        had its turn before (`replays`)."""
        still = self.replays and self.training
        mean, var = (None, None) if still else (self.running_mean, self.running_var)
        # CUDA's backward pass, unlike the CPU's, wants a gain where there is an offset.
        gain = torch.ones_like(self.bias) if x.is_cuda else None
        return F.batch_norm(x, mean, var, gain, self.bias, self.training, self.momentum, self.eps)


def _norm(channels: int, kind: str) -> nn.Module:
    return ShiftNorm2d(channels) if kind == "batch" else nn.Identity()


def _norm_relu(channels: int, kind: str) -> nn.Module:
    # The normalised copy is needed no more, so the ReLU may overwrite it.
    return nn.Sequential(ShiftNorm2d(channels), nn.ReLU(inplace=True)) if kind == "batch" else nn.ReLU()


class ResidualBlock(nn.Module):
    """norm, ReLU, 3x3 convolution, twice, added to the input (He et al., 2016); `[B, width, H, W]`
    throughout."""

    def __init__(self, width: int, norm: str, dropout: float) -> None:
        super().__init__()
        self.norm_in = _norm_relu(width, norm)
        self.conv_in = WeightNormConv2d(width, width, 3, bias=norm == "none")
        self.norm_out = _norm_relu(width, norm)
        self.dropout = nn.Dropout(dropout)
        self.conv_out = WeightNormConv2d(width, width, 3, scale=True)

    def features(self, x: Tensor) -> Tensor:
        """What the last convolution reads."""
        h: Tensor = self.dropout(self.norm_out(self.conv_in(self.norm_in(x))))
        return h

    def forward(self, x: Tensor) -> Tensor:
        h: Tensor = self.conv_out(self.features(x))
        return h.add_(x)


class ResidualNet(nn.Module):
    """The s/t network of one coupling (section 4.1; details from the authors' code).

    The input is normalised and enters as [x, -x] before a ReLU, so that no half of the line is lost. The
    input convolution and every block add a 1x1 convolution to one sum, from which the output is computed.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        width: feature maps.
        blocks: residual blocks.
        norm: `batch` or `none`.
        dropout: probability inside the blocks.
        masked: the input is a checkerboard: half of it is zero, hence doubled after normalisation, and the
            mask
            is one more input channel.
        context: channels of what is given beside the input, from 0 on.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        width: int,
        blocks: int,
        norm: str = "batch",
        dropout: float = 0.0,
        masked: bool = False,
        context: int = 0,
    ) -> None:
        super().__init__()
        self.norm_in = _norm(in_channels, norm)
        self.gain = 2.0 if masked and norm == "batch" else 1.0
        self.conv_in = WeightNormConv2d(2 * in_channels + masked + context, width, 3)
        self.skip_in = WeightNormConv2d(width, width, 1, scale=True)
        self.blocks = nn.ModuleList(ResidualBlock(width, norm, dropout) for _ in range(blocks))
        self.skips = nn.ModuleList(WeightNormConv2d(width, width, 1, scale=True) for _ in range(blocks))
        self.norm_out = _norm_relu(width, norm)
        self.conv_out = WeightNormConv2d(width, out_channels, 1, scale=True)

    def forward(self, x: Tensor, mask: Tensor | None = None, context: Tensor | None = None) -> Tensor:
        """`[B, in_channels, H, W]`, its mask `[1, 1, H, W]` if `masked`, and the context `[B, context, H, W]`
        if there is one, to `[B, out_channels, H, W]`."""
        h: Tensor = self.conv_in(self._features(x, mask, context))
        total: Tensor | None = None
        skips = [self.skip_in, *self.skips]
        for i, block in enumerate(self.blocks):
            assert isinstance(block, ResidualBlock)
            last = i == len(self.blocks) - 1
            if last and h.numel() > 9 * h.shape[1] ** 2:
                total = _add(total, _last_skips(h, block, skips[i], skips[i + 1]))
            else:
                total = _add(total, skips[i](h))
                h = block(h)
                total = _add(total, skips[i + 1](h)) if last else total
        total = self.skip_in(h) if total is None else total
        out: Tensor = self.conv_out(self.norm_out(total))
        return out

    def _features(self, x: Tensor, mask: Tensor | None, context: Tensor | None) -> Tensor:
        x = self.norm_in(x) * self.gain
        parts = [x, -x] if mask is None else [x, -x, mask.expand(x.shape[0], -1, -1, -1)]
        parts += [] if context is None else [context]
        features = F.relu(torch.cat(parts, dim=1))
        # On a CPU the 1x1 convolutions and the normalisation take a quarter of the time in this layout.
        return features.contiguous(memory_format=torch.channels_last) if x.device.type == "cpu" else features


def _add(total: Tensor | None, term: Tensor) -> Tensor:
    return term if total is None else total + term


def _last_skips(h: Tensor, block: ResidualBlock, before: WeightNormConv2d, after: WeightNormConv2d) -> Tensor:
    """`before(h) + after(block(h))`, without the block's output, which nothing else reads.

    Since `block(h) = h + conv_out(features)`, one 1x1 convolution takes h with the sum of both skips' weights
    and one 3x3 convolution takes the features with the product of `after`'s and `conv_out`'s. The product
    costs 9 width^3 operations and spares width^2 for each pixel of the batch.
    """
    skip, conv = after.weight(), block.conv_out
    folded = (skip.flatten(1) @ conv.weight().flatten(1)).view_as(conv.direction)
    assert before.bias is not None
    assert after.bias is not None
    assert conv.bias is not None
    bias = torch.addmv(before.bias + after.bias, skip.flatten(1), conv.bias)
    total = pointwise(h, before.weight() + skip)
    return F.conv2d(block.features(h), folded, bias, padding=1).add_(total)
