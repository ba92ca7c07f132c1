"""Means and variances that stay right for large means, small spreads and half precision."""

from __future__ import annotations

import torch
from torch import Tensor


def wide(x: Tensor) -> Tensor:
    """`x` in single precision if it is in half precision, whose sums would lose too much."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def refuse_mixed(x: Tensor, own: Tensor | None) -> None:
    """Raises ValueError unless a layer's own numbers are of the type of `x`, or of the one it is computed
    in."""
    if own is not None and own.dtype not in (x.dtype, torch.float32 if x.dtype.itemsize < 4 else x.dtype):
        raise ValueError(f"{x.dtype} cannot go into a layer of {own.dtype}")


def moments(x: Tensor, dims: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Mean and biased variance over `dims`, which are kept with length 1.

    In two passes: the mean of squares less the square of the mean cancels to nothing, or below it, where the
    mean is large and the spread small. What rounding left of the mean is then added to it.
    """
    mean = x.mean(dims, keepdim=True)
    centred = x - mean
    rest = centred.mean(dims, keepdim=True)
    return mean + rest, centred.square().mean(dims, keepdim=True) - rest.square()


def scaled(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    """`weight * x + bias` with one number of each for a channel of `x` `[B, C, ...]`; None leaves it out."""
    shape = (1, -1, *[1] * (x.ndim - 2))
    if weight is not None:
        x = x * weight.view(shape)
    return x if bias is None else x + bias.view(shape)
