"""Pairs of ours and torch's layers, and tensors laid out in different ways."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from methods.common.norm.batch import BatchNorm1d, BatchNorm2d, BatchNorm3d
from methods.common.norm.group import GroupNorm, InstanceNorm, LayerNorm

CHANNELS = 6


@dataclass(frozen=True)
class Pair:
    """Our layer, torch's, and a shape `[B, C, ...]` that both take."""

    name: str
    ours: Callable[[], nn.Module]
    torchs: Callable[[], nn.Module]
    shape: tuple[int, ...]

    def made(self, dtype: torch.dtype = torch.float64) -> tuple[nn.Module, nn.Module]:
        """Both, with the same random gains and offsets, given from ours to torch's."""
        ours, torchs = self.ours().to(dtype), self.torchs().to(dtype)
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for parameter in ours.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator))
        torchs.load_state_dict(ours.state_dict())
        return ours, torchs


def _group(shape: tuple[int, ...], groups: int) -> Pair:
    name = f"group{groups}-{len(shape)}d"
    return Pair(name, lambda: GroupNorm(groups, CHANNELS), lambda: nn.GroupNorm(groups, CHANNELS), shape)


FLAT, LINE, PLANE, SOLID = (7, 6), (5, 6, 4), (4, 6, 3, 5), (3, 6, 2, 3, 2)
BATCHES = [
    Pair("batch1d", lambda: BatchNorm1d(CHANNELS), lambda: nn.BatchNorm1d(CHANNELS), FLAT),
    Pair("batch1d-line", lambda: BatchNorm1d(CHANNELS), lambda: nn.BatchNorm1d(CHANNELS), LINE),
    Pair("batch2d", lambda: BatchNorm2d(CHANNELS), lambda: nn.BatchNorm2d(CHANNELS), PLANE),
    Pair("batch3d", lambda: BatchNorm3d(CHANNELS), lambda: nn.BatchNorm3d(CHANNELS), SOLID),
    Pair(
        "batch2d-average",
        lambda: BatchNorm2d(CHANNELS, momentum=None),
        lambda: nn.BatchNorm2d(CHANNELS, momentum=None),
        PLANE,
    ),
]
GROUPS = [
    *(_group(shape, groups) for shape in (FLAT, LINE, PLANE, SOLID) for groups in (1, 2, 3)),
    Pair("layer", lambda: LayerNorm(CHANNELS), lambda: nn.GroupNorm(1, CHANNELS), PLANE),
    Pair("layer-flat", lambda: LayerNorm(CHANNELS), lambda: nn.LayerNorm(CHANNELS), FLAT),
    Pair("instance", lambda: InstanceNorm(CHANNELS), lambda: nn.InstanceNorm2d(CHANNELS, affine=True), PLANE),
    Pair(
        "instance-3d", lambda: InstanceNorm(CHANNELS), lambda: nn.InstanceNorm3d(CHANNELS, affine=True), SOLID
    ),
]
PAIRS = BATCHES + GROUPS


def draw(shape: tuple[int, ...], seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """Normal values whose channels differ in mean and spread."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=generator, dtype=dtype)
    channel = torch.arange(shape[1], dtype=dtype).view(1, -1, *[1] * (len(shape) - 2))
    return x * (1 + channel) - 2 * channel


def channels_last(x: Tensor) -> Tensor:
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    return x.contiguous(memory_format=formats[x.ndim]) if x.ndim in formats else x.mT.contiguous().mT


def strided(x: Tensor) -> Tensor:
    """The same values as every other entry of a larger tensor, in another order of its dimensions."""
    return torch.stack((x, -x), -1).transpose(0, 1).contiguous().transpose(0, 1)[..., 0]


LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "contiguous": lambda x: x.contiguous(),
    "channels_last": channels_last,
    "strided": strided,
}
