"""Generators, and the trunk that discriminator and Q share (Chen et al., 2016, appendix C)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from methods.infogan.config import GanConfig

STD = 0.02
"""Deviation of initial weights, and of batch normalisation's scales around 1 (Radford et al., 2016)."""


class Layers(NamedTuple):
    """The numbers of an architecture, at width 1.

    Attributes:
        halvings: how often sides are halved.
        trunk: channels of the discriminator's strided convolutions.
        flat: its convolutions that keep the side, after them.
        units: of the fully connected layer after them; None for none.
        hidden: of the generator's first layer; None where the noise goes to the first map directly.
        first: channels of the generator's first map.
        up: channels of its transposed convolutions but for the last.
        normed: how many of `up` are normalised.
        q_hidden: units between trunk and guess; None where both heads are linear maps of the trunk.
        by_unit: whether batch normalisation takes each unit of the generator's first map by itself, as the
            authors' code does, or each channel.
    """

    halvings: int
    trunk: tuple[int, ...]
    flat: tuple[int, ...]
    units: int | None
    hidden: int | None
    first: int
    up: tuple[int, ...]
    normed: int
    q_hidden: int | None
    by_unit: bool = True


MNIST = Layers(2, (64, 128), (), 1024, 1024, 128, (64,), 1, 128)
ARCHITECTURES = {
    "mnist": MNIST,
    "mnist_port": MNIST._replace(by_unit=False),
    "svhn": Layers(4, (64, 128, 256), (), None, None, 448, (256, 128, 64), 1, 128),
    "chairs": Layers(3, (64, 128, 256), (256, 256), 1024, 1024, 256, (256, 256, 128, 64), 4, None),
}


class Discriminator(nn.Module):
    """Trunk and head: images `[B, C, H, W]` to features `[B, F]`, and features to logits `[B]` of being real.

    Attributes:
        features: F.
    """

    def __init__(self, shape: tuple[int, int, int], config: GanConfig) -> None:
        super().__init__()
        layers, c = ARCHITECTURES[config.network], config
        self.trunk = nn.Sequential()
        channels, side = shape[0], shape[1:]
        for number, wanted in enumerate(layers.trunk):
            width = scaled(wanted, c.width)
            self._add(nn.Conv2d(channels, width, 4, 2, 1, bias=number == 0), number > 0, c)
            channels, side = width, (side[0] // 2, side[1] // 2)
        for wanted in layers.flat:
            width = scaled(wanted, c.width)
            self._add(nn.Conv2d(channels, width, 3, 1, 1, bias=False), True, c)
            channels = width
        self.trunk.append(nn.Flatten())
        self.features = channels * side[0] * side[1]
        if layers.units is not None:
            units = scaled(layers.units, c.width)
            self._add(nn.Linear(self.features, units, bias=False), True, c)
            self.features = units
        self.head = nn.Linear(self.features, 1)
        start(self)
        if c.spectral_norm:
            for layer in (*self.trunk, self.head):
                if isinstance(layer, nn.Conv2d | nn.Linear):
                    spectral_norm(layer)

    def _add(self, layer: nn.Conv2d | nn.Linear, normalised: bool, config: GanConfig) -> None:
        self.trunk.append(layer)
        if normalised:
            norm = nn.BatchNorm2d if isinstance(layer, nn.Conv2d) else nn.BatchNorm1d
            self.trunk.append(norm(layer.weight.shape[0]))
        self.trunk.append(nn.LeakyReLU(config.leak))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits `[B]` and features `[B, F]`."""
        features = self.trunk(x)
        return self.head(features).flatten(), features

    def both(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits `[B]` of either, and the fakes' features `[B, F]`, each normalised by its own moments.

        Linear layers take both at once: one product of twice the rows, and one gradient of the weights.
        """
        parts = (real, fake)
        for layer in (*self.trunk, self.head):
            before = parts
            if isinstance(layer, nn.Linear):
                real, fake = layer(torch.cat(parts)).split((len(real), len(fake)))
            else:
                real, fake = layer(real), layer(fake)
            parts = (real, fake)
        return real.flatten(), fake.flatten(), before[1]


class Guess(nn.Sequential):
    """Q's own layers: features `[B, F]` to guesses at the codes `[B, outputs]`."""

    def __init__(self, features: int, outputs: int, config: GanConfig) -> None:
        hidden = ARCHITECTURES[config.network].q_hidden
        if hidden is None:
            super().__init__(nn.Linear(features, outputs))
        else:
            width = scaled(hidden, config.width)
            super().__init__(
                nn.Linear(features, width, bias=False),
                nn.BatchNorm1d(width),
                nn.LeakyReLU(config.leak),
                nn.Linear(width, outputs),
            )
        start(self)


class Generator(nn.Module):
    """Noise and codes `[B, inputs]` to images `[B, C, H, W]` in [0, 1], or in [-1, 1].

    The units of the first map are normalised one by one, as in the authors' code, or its channels, as in many
    re-implementations.
    """

    def __init__(self, inputs: int, shape: tuple[int, int, int], config: GanConfig) -> None:
        super().__init__()
        layers, c = ARCHITECTURES[config.network], config
        channels, side = scaled(layers.first, c.width), [n // 2**layers.halvings for n in shape[1:]]
        self.start = nn.Sequential()
        if layers.hidden is not None:
            hidden = scaled(layers.hidden, c.width)
            self.start.extend([nn.Linear(inputs, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU()])
            inputs = hidden
        units, shaped = channels * side[0] * side[1], nn.Unflatten(1, (channels, *side))
        self.start.append(nn.Linear(inputs, units, bias=False))
        if layers.by_unit:
            self.start.extend([nn.BatchNorm1d(units), nn.ReLU(), shaped])
        else:
            self.start.extend([shaped, nn.BatchNorm2d(channels), nn.ReLU()])
        self.up = nn.Sequential()
        kept = len(layers.up) + 1 - layers.halvings
        for number, wanted in enumerate(layers.up):
            width, normed = scaled(wanted, c.width), number < layers.normed
            up = _kept(channels, width, not normed) if number < kept else _up(channels, width, not normed)
            self.up.append(up)
            if normed:
                self.up.append(nn.BatchNorm2d(width))
            self.up.append(nn.ReLU())
            channels = width
        self.up.append(_up(channels, shape[0], True))
        self.up.append(nn.Sigmoid() if c.pixels == "unit" else nn.Tanh())
        start(self)

    def forward(self, inputs: Tensor) -> Tensor:
        images: Tensor = self.up(self.start(inputs))
        return images


def scaled(channels: int, width: float) -> int:
    """Channels at a width."""
    return max(1, round(channels * width))


def divisor(network: str) -> int:
    """What sides of images must divide by."""
    layers = ARCHITECTURES[network]
    return 2 ** max(layers.halvings, len(layers.trunk))


def _up(before: int, after: int, bias: bool) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(before, after, 4, 2, 1, bias=bias)


def _kept(before: int, after: int, bias: bool) -> nn.Conv2d:
    """A convolution that keeps the side; a transposed one of stride 1 is one with its kernel turned."""
    return nn.Conv2d(before, after, 3, 1, 1, bias=bias)


@torch.no_grad()
def start(module: nn.Module) -> None:
    """Initial values: weights N(0, 0.02), scales N(1, 0.02), offsets 0."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            layer.weight.normal_(0, STD)
        elif isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layer.weight.normal_(1, STD)
        bias = getattr(layer, "bias", None)
        if isinstance(bias, Tensor):
            bias.zero_()
