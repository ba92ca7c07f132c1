"""The network that the training stages share."""

from __future__ import annotations

from torch import Tensor, nn

from .config import NetworkConfig


def pixels(images: Tensor, levels: int) -> Tensor:
    """uint8 `[B, C, H, W]` as float32 `[B, C * H * W]` in [0, 1]."""
    return images.flatten(1).float() / (levels - 1)


def network(inputs: int, config: NetworkConfig) -> nn.Sequential:
    """Flat images to features `[B, width]`."""
    return nn.Sequential(
        nn.Linear(inputs, config.width), nn.BatchNorm1d(config.width), nn.ReLU(), nn.Dropout(config.dropout)
    )
