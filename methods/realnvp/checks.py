"""What the paper says holds exactly, checked on flows with random weights; nothing is trained.

Each check is `task=check/NAME`; the claims in `conf/claim/realnvp/` name them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from methods.common.cost import seconds
from methods.realnvp.config import RealNVPConfig
from methods.realnvp.coupling import ChannelCoupling, CheckerboardCoupling, Coupling
from methods.realnvp.masks import checkerboard
from methods.realnvp.multiscale import RealNVP
from methods.realnvp.squeeze import squeeze, squeeze_ordered, unsqueeze
from runner.api import Inputs, Metrics

SHAPE = (3, 4, 4)
"""Small enough for a Jacobian by autograd."""


def log_det(config: RealNVPConfig, inputs: Inputs) -> Metrics:
    """Log-determinants of 4 images against those of autograd's Jacobians, in nats, float64 (section 3.3)."""
    flow, y = random_flow(config), _images(4)
    jacobians = [torch.autograd.functional.jacobian(lambda one: flow(one[None])[0][0], image) for image in y]
    square = torch.stack([jacobian.reshape(y[0].numel(), -1) for jacobian in jacobians])
    return {"check/log_det_error": (torch.linalg.slogdet(square)[1] - flow(y)[1]).abs().max().detach()}


@torch.no_grad()
def inverse(config: RealNVPConfig, inputs: Inputs) -> Metrics:
    """There and back again: both log-determinants add up to 0, and the image comes back (section 3.3)."""
    flow, y = random_flow(config), _images(64)
    z, there = flow(y)
    again, back = flow.inverse(z)
    return {
        "check/log_det_sum": (there + back).abs().max(),
        "check/inverse_error": (again - y).abs().max(),
    }


@torch.no_grad()
def blind(config: RealNVPConfig, inputs: Inputs) -> Metrics:
    """The networks of couplings do not see the half that is changed, and the log-determinant is the sum of
    the log-scales over that half (section 3.3).

    Both are seen from outside: by moving the changed half, which must move the output by as much times
    exp(s), and by listening to what the networks say meanwhile.
    """
    worst_change, worst_error = 0.0, 0.0
    for layer, x in _couplings(config):
        heard: list[Tensor] = []
        hook = layer.net.register_forward_hook(lambda net, given, said, heard=heard: heard.append(said))
        y, log_det = layer(x)
        moved = (y != x).double()
        further = layer(x + moved)[0]
        hook.remove()
        scale = torch.where(moved > 0, further - y, torch.ones_like(y))
        worst_change = max(worst_change, (heard[0] - heard[1]).abs().max().item())
        worst_error = max(worst_error, (scale.log().flatten(1).sum(1) - log_det).abs().max().item())
    return {"check/conditioner_change": worst_change, "check/coupling_log_det_error": worst_error}


@torch.no_grad()
def arbitrary_networks(config: RealNVPConfig, inputs: Inputs) -> Metrics:
    """Couplings whose networks no one could invert, of rank one and with a dead ReLU, are inverted all the
    same, in float32 (section 3.2)."""
    channels = SHAPE[0]
    layers = [
        CheckerboardCoupling(Hopeless, SHAPE, invert=False, scale_init=1.0),
        CheckerboardCoupling(Hopeless, SHAPE, invert=True, scale_init=1.0),
        ChannelCoupling(Hopeless, 4 * channels, invert=False, scale_init=1.0),
        ChannelCoupling(Hopeless, 4 * channels, invert=True, scale_init=1.0),
    ]
    x = torch.randn(64, *SHAPE)
    y = squeeze(layers[1](layers[0](x)[0])[0])
    for layer in layers[2:]:
        y = layer(y)[0]
    for layer in layers[:1:-1]:
        y = layer.inverse(y)[0]
    back = layers[0].inverse(layers[1].inverse(unsqueeze(y))[0])[0]
    return {"check/inverse_error": (back - x).abs().max()}


@torch.no_grad()
def changed(config: RealNVPConfig, inputs: Inputs) -> Metrics:
    """The share of variables that two couplings change, with alternating masks and with a fixed one (section
    3.5)."""
    found = {}
    for mask in ("alternate", "fixed"):
        flow = random_flow(replace(config, mask=mask, flow_bn="none", tf_compat=False, n_scale=1))
        y = _images(8)
        x = y
        for layer in [module for module in flow.modules() if isinstance(module, Coupling)][:2]:
            x = layer(x)[0]
        found[f"check/changed_{mask}"] = (x != y).double().mean()
    return found


def halves(config: RealNVPConfig, inputs: Inputs) -> Metrics:
    """How much of the kept half the couplings on squeezed images share with those on the checkerboard before
    (figure 3): 0.5 says that each sees as much of either colour, 0 or 1 that it splits them as before."""
    board = checkerboard(4, 4).expand(1, *SHAPE)
    found = {"channel": squeeze(board), "checkerboard": squeeze_ordered(board)}
    return {f"check/overlap_{name}": squeezed.chunk(2, dim=1)[0].mean() for name, squeezed in found.items()}


class Hopeless(nn.Module):
    """A network for scale and translation whose output has rank one and is often zero."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.weight: Tensor
        self.register_buffer("weight", torch.randn(outputs, 1, 1))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """`[B, C, H, W]` to `[B, outputs, H, W]`."""
        return self.weight * torch.relu(x.sum(1, keepdim=True))


def random_flow(config: RealNVPConfig) -> RealNVP:
    """A small flow on `SHAPE` in float64 and evaluation mode, with random weights and moments."""
    small = replace(
        config, width=min(config.width, 8), blocks=min(config.blocks, 1), n_scale=min(config.n_scale, 2)
    )
    flow = RealNVP(SHAPE, small).double().eval()
    with torch.no_grad():
        for name, tensor in [*flow.named_parameters(), *flow.named_buffers()]:
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 1.5)
            elif not name.endswith(("batches", "magnitude")) and "_mask" not in name:
                tensor.normal_(0.0, 0.5)
    return flow


def _couplings(config: RealNVPConfig) -> Iterator[tuple[Coupling, Tensor]]:
    """Couplings of each kind without flow batch normalisation, each with images of its shape."""
    flow = random_flow(replace(config, flow_bn="none", tf_compat=False))
    for layer in flow.modules():
        if isinstance(layer, Coupling):
            yield layer, _input_of(layer)


def _input_of(layer: Coupling) -> Tensor:
    assert layer.bound is not None
    channels = layer.bound.shape[0] * (2 if isinstance(layer, ChannelCoupling) else 1)
    return torch.randn(16, channels, 4, 4, dtype=torch.float64)


def _images(count: int) -> Tensor:
    return torch.randn(count, *SHAPE, dtype=torch.float64)


def factoring_out(config: RealNVPConfig, inputs: Inputs) -> Metrics:
    """What it costs to keep all variables to the end instead of factoring half of them out at each scale: the
    ratios of seconds, of bytes that are kept for the backward pass, and of parameters (section 3.6)."""
    cost = {}
    for factor_out in (True, False):
        flow = RealNVP(inputs.data.shape, replace(config, factor_out=factor_out)).to(inputs.device)
        y = torch.randn(inputs.batch_size, *inputs.data.shape, device=inputs.device)
        parameters = sum(parameter.numel() for parameter in flow.parameters())
        cost[factor_out] = (seconds(partial(step, flow, y)), saved_bytes(flow, y), parameters)
    names = ("time", "memory", "parameter")
    return {f"check/{n}_ratio": off / on for n, off, on in zip(names, cost[False], cost[True], strict=True)}


@torch.no_grad()
def sampling_time(config: RealNVPConfig, inputs: Inputs) -> Metrics:
    """How much longer a batch of samples takes than the likelihoods of a batch (section 3.3)."""
    flow = RealNVP(inputs.data.shape, config).to(inputs.device).eval()
    y = torch.randn(inputs.batch_size, *inputs.data.shape, device=inputs.device)
    there, back = seconds(lambda: flow(y)), seconds(lambda: flow.inverse(y))
    return {"check/inverse_ratio": back / there, "check/seconds_per_image": back / len(y)}


def step(flow: nn.Module, y: Tensor) -> None:
    """A forward and a backward pass."""
    z, log_det = flow(y)
    (0.5 * z.square().sum() - log_det.sum()).backward()


def saved_bytes(flow: nn.Module, y: Tensor) -> int:
    """The most bytes of tensors, parameters aside, that wait for the backward pass at any time of a step."""
    own = {parameter.untyped_storage().data_ptr() for parameter in flow.parameters()}
    held: dict[int, int] = {}
    peak = 0

    class Held:
        """Counts a storage while it is waited for; several tensors may share one."""

        def __init__(self, tensor: Tensor) -> None:
            storage = tensor.untyped_storage()
            self.tensor, self.key, self.size = tensor, storage.data_ptr(), storage.nbytes()
            if self.key not in own:
                held[self.key] = held.get(self.key, 0) + 1
                sizes[self.key] = self.size

        def __del__(self) -> None:
            if self.key in held:
                held[self.key] -= 1
                if not held[self.key]:
                    del held[self.key], sizes[self.key]

    sizes: dict[int, int] = {}

    def pack(tensor: Tensor) -> Held:
        nonlocal peak
        one = Held(tensor)
        peak = max(peak, sum(sizes.values()))
        return one

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda one: one.tensor):
        step(flow, y)
    return peak
