"""The network that a configuration names."""

from __future__ import annotations

import math

from torch import nn

from methods.common.classify.cnn import SmallCNN
from methods.common.classify.config import ClassifierConfig
from methods.common.classify.inception import InceptionNet
from methods.common.classify.initial import gaussian, he
from methods.common.classify.mlp import MLP
from methods.common.classify.resnet import ResNet
from methods.common.classify.vgg import VGG16
from methods.common.norm.make import Norm

ACTIVATIONS = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid}


def norm_of(config: ClassifierConfig) -> Norm:
    """The normalisation of a configuration's layers."""
    dims = 1 if config.network == "mlp" else 2
    return Norm(
        config.norm, config.groups, config.norm_impl, config.norm_momentum, dims,
        scattered=config.grouping == "random",
    )  # fmt: skip


def network(config: ClassifierConfig, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """A network for images of `shape` `(C, H, W)`, with initial weights.

    Raises ValueError for channels that do not divide into groups, a depth that no network has, and images
    that are too small.
    """
    norm, activation = norm_of(config), ACTIVATIONS[config.activation]
    made: nn.Module
    match config.network:
        case "mlp":
            made = MLP(math.prod(shape), config.hidden, classes, norm, activation, config.dropout)
        case "cnn":
            if min(shape[1:]) < 4:
                raise ValueError(
                    f"method.network=cnn halves sides twice: {shape} is too small, dataset.size=4 not"
                )
            made = SmallCNN(shape, classes, norm)
        case "resnet":
            made = ResNet(shape[0], classes, config.depth, config.width, norm, config.zero_gamma)
        case "vgg16":
            if min(shape[1:]) < 32:
                raise ValueError(
                    f"method.network=vgg16 halves sides five times: {shape} is too small, dataset.size=32 not"
                )
            made = VGG16(shape[0], classes, norm, config.dropout)
        case "inception":
            made = InceptionNet(shape[0], classes, norm, activation, config.dropout)
    if config.init == "gaussian":
        gaussian(made, config.init_std)
    else:
        he(made)
    return made
