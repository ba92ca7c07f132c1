"""Which normalisation a network gets, by name."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import Literal, get_args

from torch import nn

from methods.common.norm.batch import BatchNorm1d, BatchNorm2d, BatchNorm3d, BatchRenorm
from methods.common.norm.group import GroupNorm, InstanceNorm, LayerNorm, ScatteredGroupNorm

Kind = Literal["none", "batch", "group", "layer", "instance", "renorm"]
Impl = Literal["reference", "fused"]
BATCH = {1: (BatchNorm1d, nn.BatchNorm1d), 2: (BatchNorm2d, nn.BatchNorm2d), 3: (BatchNorm3d, nn.BatchNorm3d)}


@dataclass(frozen=True)
class Norm:
    """A normalisation and its settings; calling it with a number of channels makes a layer.

    Attributes:
        kind: what is normalised over what; `none` makes a layer that does nothing.
        groups: groups of `group`; None for `groups_for` of each layer's channels.
        impl: our own layers, or torch's kernels; batch renormalisation has only ours.
        momentum: weight of a new batch in running moments; None for the average of all batches.
        dims: dimensions of a channel: 1 for `[B, C]` and `[B, C, L]`, 2 for `[B, C, H, W]`, 3 for
            `[B, C, D, H, W]`.
        eps: added to variances.
        scattered: whether the groups of `group` are random channels instead of neighbours, for which there
            is only our own layer.
    """

    kind: Kind = "batch"
    groups: int | None = None
    impl: Impl = "fused"
    momentum: float | None = 0.1
    dims: int = 2
    eps: float = 1e-5
    scattered: bool = False

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"there is no normalisation {self.kind!r}, only {', '.join(get_args(Kind))}")
        if self.groups is not None and self.groups < 1:
            raise ValueError(f"groups must be 1 or more, not {self.groups}")

    @property
    def centres(self) -> bool:
        """Whether the mean of each channel is taken away, so that an offset before it has no effect."""
        return self.kind in ("batch", "renorm", "instance")

    def __call__(self, channels: int) -> nn.Module:
        """A layer for `channels` channels; raises ValueError where they do not divide into the groups."""
        fused = self.impl == "fused"
        match self.kind:
            case "none":
                return nn.Identity()
            case "batch":
                return BATCH[self.dims][fused](channels, self.eps, self.momentum)
            case "renorm":
                return BatchRenorm(channels, self.eps, self.momentum)
            case "group":
                groups = groups_for(channels, self.dims) if self.groups is None else self.groups
                if channels % groups:
                    raise ValueError(
                        f"method.groups={groups} does not divide the {channels} channels of a layer"
                    )
                if self.dims == 1 and channels == groups:
                    raise ValueError(
                        f"method.groups={groups} makes groups of one value each in a layer of {channels}; "
                        f"two are needed"
                    )
                if self.scattered:
                    return ScatteredGroupNorm(groups, channels, self.eps)
                return (nn.GroupNorm if fused else GroupNorm)(groups, channels, self.eps)
            case "layer":
                return nn.GroupNorm(1, channels, self.eps) if fused else LayerNorm(channels, self.eps)
            case "instance":
                return (
                    nn.GroupNorm(channels, channels, self.eps) if fused else InstanceNorm(channels, self.eps)
                )


def groups_for(channels: int, dims: int = 2) -> int:
    """The paper's 32 groups where there are channels enough; in narrow layers, groups of two or more, and of
    eight where a channel is one value: two values alone become -1 and 1, whatever they were."""
    return gcd(channels, max(1, min(32, channels // (2 if dims > 1 else 8))))
