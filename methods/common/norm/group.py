"""Group normalisation (Wu and He, 2018), with layer and instance normalisation as its two ends."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from methods.common.norm.moments import moments, refuse_mixed, scaled, wide


class GroupNorm(nn.Module):
    """Normalises each image over groups of neighbouring channels and all positions (section 3, equations 1,
    2, 6 and 7).

    Training and evaluation are one function; there are no running moments, and other images of the batch do
    not matter. Half precision is normalised in single precision.

    Arguments:
        groups: number of groups G, contiguous blocks of channels.
        channels: channels C; ValueError unless G divides them.
        eps: added to the variance before its square root is taken.
        affine: whether there is a learned gain (1 at first) and offset (0) for each channel.

    The state has torch.nn's names, shapes and meaning.
    """

    def __init__(self, groups: int, channels: int, eps: float = 1e-5, affine: bool = True) -> None:
        super().__init__()
        if groups < 1 or channels % groups:
            raise ValueError(f"{channels} channels do not divide into {groups} groups")
        self.groups, self.channels, self.eps = groups, channels, eps
        self.weight = nn.Parameter(torch.ones(channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(channels)) if affine else None

    def forward(self, x: Tensor) -> Tensor:
        """`[B, C, ...]` to the same shape and type.

        Raises ValueError for another number of channels, another type of numbers, and where a group of an
        image has no value or one. A batch without images is returned as it is.
        """
        shape = tuple(x.shape)
        if x.ndim < 2 or shape[1] != self.channels:
            raise ValueError(f"{type(self).__name__} has {self.channels} channels, not those of {shape}")
        values = math.prod(shape[1:]) // self.groups
        if values == 0 or (values == 1 and shape[0]):
            many = "one value" if values else "no value"
            raise ValueError(f"{shape} has {many} in each of {self.groups} groups; it takes two or more")
        refuse_mixed(x, self.weight)
        if x.numel() == 0:
            return scaled(wide(x), self.weight, self.bias).to(x.dtype)
        return scaled(self._normalised(wide(x)), self.weight, self.bias).to(x.dtype)

    def _normalised(self, x: Tensor) -> Tensor:
        grouped = x.unflatten(1, (self.groups, self.channels // self.groups))
        mean, var = moments(grouped, tuple(range(2, grouped.ndim)))
        return ((grouped - mean) / (var + self.eps).sqrt()).flatten(1, 2)

    def extra_repr(self) -> str:
        return f"{self.groups}, {self.channels}, eps={self.eps}, affine={self.weight is not None}"


class LayerNorm(GroupNorm):
    """Layer normalisation (Ba et al., 2016) over all channels and positions of an image, with a gain and an
    offset for each channel: one group."""

    def __init__(self, channels: int, eps: float = 1e-5, affine: bool = True) -> None:
        super().__init__(1, channels, eps, affine)


class InstanceNorm(GroupNorm):
    """Instance normalisation (Ulyanov et al., 2016) over the positions of each image and channel: as many
    groups as channels."""

    def __init__(self, channels: int, eps: float = 1e-5, affine: bool = True) -> None:
        super().__init__(channels, channels, eps, affine)


class ScatteredGroupNorm(GroupNorm):
    """Group normalisation whose groups are random channels instead of neighbours, drawn when it is made.

    What is drawn after it, such as weights, is what it would be without. Its state also has the order of the
    channels, int64 `[C]`.
    """

    def __init__(self, groups: int, channels: int, eps: float = 1e-5, affine: bool = True) -> None:
        super().__init__(groups, channels, eps, affine)
        self.order: Tensor
        with torch.random.fork_rng(devices=[]):
            self.register_buffer("order", torch.randperm(channels))

    def _normalised(self, x: Tensor) -> Tensor:
        return super()._normalised(x[:, self.order])[:, self.order.argsort()]
