"""Convolution with weight normalisation (Salimans and Kingma, 2016)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class WeightNormConv2d(nn.Module):
    """Same-size convolution whose filters are `magnitude * direction / |direction|`.

    It computes what `torch.nn.utils.parametrizations.weight_norm` does, without the bookkeeping of a
    parametrisation, which costs as much as a small convolution.

    Attributes:
        direction: `[out, in, k, k]`, initially uniform in +-sqrt(2 / in).
        magnitude: `[out, 1, 1, 1]`, the norms of the filters; the constant 1 unless `scale`.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, bias: bool = True, scale: bool = False
    ) -> None:
        super().__init__()
        bound = math.sqrt(2 / in_channels)
        direction = torch.empty(out_channels, in_channels, kernel, kernel).uniform_(-bound, bound)
        self.direction = nn.Parameter(direction)
        self.magnitude: Tensor
        if scale:
            # Half the expected norm of a direction, as in the authors' code.
            self.magnitude = nn.Parameter(torch.full((out_channels, 1, 1, 1), kernel / math.sqrt(6)))
        else:
            self.register_buffer("magnitude", torch.ones(out_channels, 1, 1, 1), persistent=False)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.padding = kernel // 2

    def weight(self) -> Tensor:
        """The filters `[out, in, k, k]`."""
        return torch._weight_norm(self.direction, self.magnitude, 0)

    def forward(self, x: Tensor) -> Tensor:
        """`[B, in, H, W]` to `[B, out, H, W]`."""
        if self.padding == 0:
            return pointwise(x, self.weight(), self.bias)
        return F.conv2d(x, self.weight(), self.bias, padding=self.padding)


def pointwise(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """1x1 convolution of `x` `[B, in, H, W]` with `weight` `[out, in, 1, 1]`."""
    if x.is_contiguous(memory_format=torch.channels_last):
        # Pixels are rows of a matrix then, and a product of matrices is faster than the convolution.
        return F.linear(x.permute(0, 2, 3, 1), weight.flatten(1), bias).permute(0, 3, 1, 2)
    return F.conv2d(x, weight, bias)
