"""Real NVP written down straightforwardly, as an oracle and as the yardstick of `benchmarks/realnvp.py`.

Everything is done on full-size tensors: masks are multiplied in, the log-determinant is carried per variable,
weight normalisation is torch's parametrisation, batch normalisation is `nn.BatchNorm2d`, and the ordered
squeeze is a convolution with one-hot filters, which is how the public implementations for images go about it.
It reads the weights of the model under test through `load`.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from methods.realnvp.network import ShiftNorm2d


def conv(
    in_channels: int, out_channels: int, kernel: int, bias: bool = True, scale: bool = False
) -> nn.Module:
    layer = weight_norm(nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, bias=bias))
    if not scale:
        layer.parametrizations.weight.original0.requires_grad_(False).fill_(1)
    return layer


def batch_norm(channels: int) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(channels, eps=1e-4)
    norm.weight.requires_grad_(False)
    return norm


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm_in = batch_norm(width)
        self.conv_in = conv(width, width, 3, bias=False)
        self.norm_out = batch_norm(width)
        self.conv_out = conv(width, width, 3, scale=True)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv_in(F.relu(self.norm_in(x)))
        h = self.conv_out(F.relu(self.norm_out(h)))
        return h + x


class Net(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, width: int, blocks: int, masked: bool) -> None:
        super().__init__()
        self.masked = masked
        self.norm_in = batch_norm(in_channels)
        self.conv_in = conv(2 * in_channels + masked, width, 3)
        self.skip_in = conv(width, width, 1, scale=True)
        self.blocks = nn.ModuleList([Block(width) for _ in range(blocks)])
        self.skips = nn.ModuleList([conv(width, width, 1, scale=True) for _ in range(blocks)])
        self.norm_out = batch_norm(width)
        self.conv_out = conv(width, out_channels, 1, scale=True)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        x = self.norm_in(x)
        if self.masked:
            x = x * 2
        x = torch.cat([x, -x], dim=1)
        if mask is not None:
            x = torch.cat([x, mask.repeat(x.size(0), 1, 1, 1)], dim=1)
        x = self.conv_in(F.relu(x))
        out = self.skip_in(x)
        for block, skip in zip(self.blocks, self.skips, strict=True):
            x = block(x)
            out = out + skip(x)
        return self.conv_out(F.relu(self.norm_out(out)))


class FlowBatchNorm(nn.Module):
    """Moments over the variables that `free` marks; the log-determinant of every variable by itself."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("running_mean", torch.zeros(channels, 1, 1))
        self.register_buffer("running_var", torch.ones(channels, 1, 1))

    def moments(self, x: Tensor, free: Tensor) -> tuple[Tensor, Tensor]:
        count = free.sum(dim=(0, 2, 3)).clamp(min=1).reshape(1, -1, 1, 1)
        mean = (x * free).sum(dim=(0, 2, 3), keepdim=True) / count
        var = ((x - mean) ** 2 * free).sum(dim=(0, 2, 3), keepdim=True) / count
        self.running_mean = 0.9 * self.running_mean + 0.1 * mean[0].detach()
        self.running_var = 0.9 * self.running_var + 0.1 * var[0].detach()
        return mean, var

    def forward(self, x: Tensor, free: Tensor) -> tuple[Tensor, Tensor]:
        mean, var = self.moments(x, free) if self.training else (self.running_mean, self.running_var)
        log_det = -0.5 * torch.log(var + 1e-4) * free
        normalised = (x - mean) / torch.sqrt(var + 1e-4)
        return x * (1 - free) + normalised * free, log_det


class MaskedCoupling(nn.Module):
    """`y = b x + (1 - b) (x exp(s) + t)`, with masks `b` of the size of `x` for checkerboards and channels
    alike."""

    def __init__(
        self, channels: int, width: int, blocks: int, checkerboard: bool, invert: bool, flow_bn: bool
    ) -> None:
        super().__init__()
        self.checkerboard = checkerboard
        self.invert = invert
        changed = channels if checkerboard else channels // 2
        self.net = Net(changed, 2 * changed, width, blocks, masked=checkerboard)
        self.bound = nn.Parameter(torch.zeros(changed, 1, 1))
        self.norm = FlowBatchNorm(channels) if flow_bn else None

    def mask(self, x: Tensor) -> Tensor:
        _, c, h, w = x.shape
        if self.checkerboard:
            mask = torch.tensor([[(i + j) % 2 for j in range(w)] for i in range(h)], dtype=x.dtype)
            mask = mask.reshape(1, 1, h, w)
        else:
            mask = torch.zeros(1, c, 1, 1, dtype=x.dtype)
            mask[:, : c // 2] = 1
        return (1 - mask if self.invert else mask).to(x.device)

    def scale_shift(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        if self.checkerboard:
            s, t = self.net(x * mask, mask).chunk(2, dim=1)
            return self.bound * torch.tanh(s), t
        kept = (x * mask).chunk(2, dim=1)[1 if self.invert else 0]
        s, t = self.net(kept, None).chunk(2, dim=1)
        s = self.bound * torch.tanh(s)
        zero = torch.zeros_like(s)
        if self.invert:
            return torch.cat([s, zero], dim=1), torch.cat([t, zero], dim=1)
        return torch.cat([zero, s], dim=1), torch.cat([zero, t], dim=1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mask = self.mask(x)
        s, t = self.scale_shift(x, mask)
        y = mask * x + (1 - mask) * (x * torch.exp(s) + t)
        log_det = (1 - mask) * s
        if self.norm is None:
            return y, log_det
        y, norm_log_det = self.norm(y, (1 - mask).expand_as(y))
        return y, log_det + norm_log_det


def one_hot_filters(channels: int, like: Tensor) -> Tensor:
    filters = torch.zeros(4 * channels, channels, 2, 2, dtype=like.dtype, device=like.device)
    for slot, (dy, dx) in enumerate([(0, 0), (1, 1), (0, 1), (1, 0)]):
        for c in range(channels):
            filters[slot * channels + c, c, dy, dx] = 1
    return filters


def squeeze_ordered(x: Tensor) -> Tensor:
    return F.conv2d(x, one_hot_filters(x.size(1), x), stride=2)


def unsqueeze_ordered(x: Tensor) -> Tensor:
    return F.conv_transpose2d(x, one_hot_filters(x.size(1) // 4, x), stride=2)


class Reference(nn.Module):
    """The flow with batch-normalised networks and alternating masks, by recursion over the scales."""

    def __init__(self, channels: int, n_scale: int, blocks: int, width: int, flow_bn: bool = True) -> None:
        super().__init__()
        last = n_scale == 1
        self.checkerboard = nn.ModuleList(
            [
                MaskedCoupling(channels, width, blocks, True, i % 2 == 1, flow_bn)
                for i in range(4 if last else 3)
            ]
        )
        self.channel = nn.ModuleList(
            [
                MaskedCoupling(4 * channels, 2 * width, blocks, False, i % 2 == 1, flow_bn)
                for i in range(0 if last else 3)
            ]
        )
        self.next = None if last else Reference(2 * channels, n_scale - 1, blocks, 2 * width, flow_bn)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Latents `[B, C, H, W]` and the log-determinant of every variable, `[B, C, H, W]`."""
        log_det = torch.zeros_like(x)
        for coupling in self.checkerboard:
            x, increment = coupling(x)
            log_det = log_det + increment
        if self.next is None:
            return x, log_det
        x, log_det = F.pixel_unshuffle(x, 2), F.pixel_unshuffle(log_det, 2)
        for coupling in self.channel:
            x, increment = coupling(x)
            log_det = log_det + increment
        x, log_det = F.pixel_shuffle(x, 2), F.pixel_shuffle(log_det, 2)
        (x, z), (log_det, z_log_det) = (squeeze_ordered(v).chunk(2, dim=1) for v in (x, log_det))
        x, increment = self.next(x)
        log_det = log_det + increment
        return (
            unsqueeze_ordered(torch.cat([x, z], dim=1)),
            unsqueeze_ordered(torch.cat([log_det, z_log_det], dim=1)),
        )


def objective(flow: nn.Module, images: Tensor, noise: Tensor, levels: int) -> Tensor:
    """Bits per dimension `[B]` from the log-likelihood of every variable, symmetric logit."""
    p = 0.05 + 0.9 * (images + noise) / levels
    y = torch.log(p) - torch.log(1 - p)
    z, log_det = flow(y)
    log_density = -0.5 * (z**2 + math.log(2 * math.pi)) + log_det
    log_density = log_density + math.log(0.9) - torch.log(p) - torch.log(1 - p) - math.log(levels)
    return -log_density.mean(dim=(1, 2, 3)) / math.log(2)


@torch.no_grad()
def load(reference: Reference, flow: nn.Module) -> None:
    """Copy the weights and moving moments of a `methods.realnvp` flow into the reference."""
    scales = list(flow.scales)
    while reference is not None:
        scale = scales.pop(0)
        for ours, theirs in (
            (reference.checkerboard, scale.checkerboard),
            (reference.channel, scale.channel),
        ):
            for a, b in zip(ours, theirs, strict=True):
                _load_coupling(a, b)
        reference = reference.next


def _load_coupling(ours: MaskedCoupling, theirs: nn.Module) -> None:
    ours.bound.copy_(theirs.bound)
    modules = dict(theirs.net.named_modules())
    for name, module in ours.net.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            theirs_norm = modules[name] if isinstance(modules[name], ShiftNorm2d) else modules[name][0]
            module.bias.copy_(theirs_norm.bias)
            module.running_mean.copy_(theirs_norm.running_mean)
            module.running_var.copy_(theirs_norm.running_var)
        elif hasattr(module, "parametrizations"):
            module.parametrizations.weight.original0.copy_(modules[name].magnitude)
            module.parametrizations.weight.original1.copy_(modules[name].direction)
            if module.bias is not None:
                module.bias.copy_(modules[name].bias)
    if ours.norm is not None:
        half = slice(None)
        if not ours.checkerboard:
            c = theirs.norm.running_mean.shape[1]
            half = slice(0, c) if ours.invert else slice(c, 2 * c)
        ours.norm.running_mean[half] = theirs.norm.running_mean[0]
        ours.norm.running_var[half] = theirs.norm.running_var[0]
