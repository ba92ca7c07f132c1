"""Networks as functions of flat vectors of parameters, for several tasks at once."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from methods.common.fewshot.conv4 import Conv4

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}


def mlp(inputs: int, hidden: tuple[int, ...], outputs: int, activation: str) -> nn.Sequential:
    """Linear maps with nonlinearities between them; without hidden layers, one linear map."""
    layers: list[nn.Module] = [nn.Flatten()]
    for before, after in pairwise((inputs, *hidden)):
        layers += [nn.Linear(before, after), ACTIVATIONS[activation]()]
    return nn.Sequential(*layers, nn.Linear((inputs, *hidden)[-1], outputs))


def conv4(shape: tuple[int, ...], filters: int, blocks: int, outputs: int) -> nn.Sequential:
    """The four-block network and a linear map; normalised by each batch's own moments, in testing too
    (Finn et al., ICML 2017)."""
    encoder = Conv4(shape, filters, blocks, track=False)
    return nn.Sequential(encoder, nn.Linear(encoder.width, outputs))


class Flat:
    """A module as a function of vectors of all its parameters.

    Arguments:
        net: holds the meta-parameters, and ends with a linear map; it keeps no buffers, for a task's would
            be those of all.
        how: `vmap` runs the tasks' networks as one, `loop` one after another.

    Attributes:
        names, shapes: of the parameters, in order.
        layer: number of the layer that each entry of a vector belongs to, int64 `[D]`; what has one name but
            for its end, such as weight and offset, is one layer.
        body: how many entries come before those of the last layer.
    """

    def __init__(self, net: nn.Sequential, how: Literal["vmap", "loop"]) -> None:
        if any(True for _ in net.buffers()):
            raise ValueError("a network with buffers cannot be adapted to several tasks at once")
        self.net, self.how = net, how
        parameters = dict(net.named_parameters())
        self.names, self.shapes = list(parameters), [p.shape for p in parameters.values()]
        self.sizes = [p.numel() for p in parameters.values()]
        owners = [name.rpartition(".")[0] for name in self.names]
        numbers = {owner: i for i, owner in enumerate(dict.fromkeys(owners))}
        self.layers = len(numbers)
        self.layer = torch.repeat_interleave(
            torch.tensor([numbers[owner] for owner in owners]), torch.tensor(self.sizes)
        )
        self.body = int((self.layer < self.layers - 1).sum())

    def vector(self) -> Tensor:
        """The meta-parameters as one vector `[D]`, through which gradients flow."""
        return torch.cat([p.flatten() for p in self.net.parameters()])

    def pieces(self, vector: Tensor) -> list[Tensor]:
        """A vector `[D]` as tensors of the parameters' shapes."""
        return [v.view(shape) for v, shape in zip(vector.split(self.sizes), self.shapes, strict=True)]

    def __call__(self, phi: Tensor, x: Tensor) -> Tensor:
        """Parameters `[M, D]` and inputs `[M, N, ...]` to outputs `[M, N, K]`."""
        return self._each(self._one, phi, x)

    def features(self, phi: Tensor, x: Tensor) -> Tensor:
        """What the last layer gets, `[M, N, W]`, of parameters `[M, D]` and inputs `[M, N, ...]`."""
        return self._each(self._before, phi, x)

    def head(self, phi: Tensor, features: Tensor) -> Tensor:
        """The last layer: its parameters `[M, D - body]` and features `[M, N, W]` to outputs `[M, N, K]`."""
        weight, bias = phi.split(list(self.sizes[-2:]), -1)
        weight = weight.unflatten(-1, self.shapes[-2])
        return torch.baddbmm(bias.unsqueeze(1), features, weight.mT)

    def _each(self, one: Callable[[Tensor, Tensor], Tensor], phi: Tensor, x: Tensor) -> Tensor:
        if self.how == "vmap":
            found: Tensor = vmap(one)(phi, x)
            return found
        return torch.stack([one(p, given) for p, given in zip(phi, x, strict=True)])

    def _one(self, phi: Tensor, x: Tensor) -> Any:
        return functional_call(self.net, dict(zip(self.names, self.pieces(phi), strict=True)), (x,))

    def _before(self, phi: Tensor, x: Tensor) -> Any:
        body = dict(zip(self.names[:-2], self.pieces(phi)[:-2], strict=True))
        return functional_call(self.net[:-1], body, (x,))
