"""Initial weights."""

from __future__ import annotations

import torch
from torch import nn

HEAD = 0.01
"""Deviation of the last layer's weights (Goyal et al., 2017, section 5.1)."""


@torch.no_grad()
def he(model: nn.Module) -> None:
    """Weights that keep the size of what ReLU passes on, by fan-out for convolutions and by fan-in for linear
    maps (He et al., 2015); small ones for the last map, and offsets 0."""
    layers = _layers(model)
    for layer in layers:
        nn.init.kaiming_normal_(
            layer.weight, mode="fan_out" if isinstance(layer, nn.Conv2d) else "fan_in", nonlinearity="relu"
        )
    layers[-1].weight.normal_(0, HEAD)


@torch.no_grad()
def gaussian(model: nn.Module, std: float) -> None:
    """Normal weights of deviation `std`, and offsets 0."""
    for layer in _layers(model):
        layer.weight.normal_(0, std)


def _layers(model: nn.Module) -> list[nn.Conv2d | nn.Linear]:
    """Convolutions and linear maps in order, their offsets set to 0."""
    layers = [module for module in model.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    for layer in layers:
        if layer.bias is not None:
            layer.bias.zero_()
    return layers
