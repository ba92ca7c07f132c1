"""Batch normalisation as a layer of the flow, with its log-determinant (section 3.7, appendix E)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

Moments = tuple[Tensor, Tensor]
"""Mean and variance, `[1, C, 1, 1]` each."""


class FlowNorm(nn.Module):
    """Normalises the half that a coupling has changed, per channel and without affine parameters.

    Training uses the batch's moments (`batch`), or moving moments into which the batch's enter with weight
    `1 - rho` (`lag`, appendix E); gradients flow through the batch's moments only. Evaluation and the inverse
    use the moving moments.

    Args:
        channels: channels of the half.
        lag: memory rho in [0, 1) of the moving moments, or None for the batch's own.
        tf_compat: take checkerboard moments over all positions with zeros at the others, as the authors' code
            does, which leaves the changed positions with a variance of about 2.

    Attributes:
        last: the moments of the last batch in training mode, detached.
        replays: whether the batch had its turn before, and leaves the moving moments alone now.
    """

    eps = 1e-4

    def __init__(self, channels: int, lag: float | None = None, tf_compat: bool = False) -> None:
        super().__init__()
        self.lag = lag
        self.tf_compat = tf_compat
        self.momentum = 0.1
        self.replays = False
        self.last: Moments | None = None
        self.running_mean: Tensor
        self.running_var: Tensor
        self.batches: Tensor
        self.register_buffer("running_mean", torch.zeros(1, channels, 1, 1))
        self.register_buffer("running_var", torch.ones(1, channels, 1, 1))
        self.register_buffer("batches", torch.zeros(()))

    def forward(self, x: Tensor, free: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Normalise `x` `[B, C, H, W]` where `free` `[1, 1, H, W]` is 1 (everywhere if None).

        Returns:
            The result and its log-determinant, a scalar since it is the same for every image.
        """
        mean, var = self._moments(x, free) if self.training else (self.running_mean, self.running_var)
        self.last = (mean.detach(), var.detach()) if self.training else None
        mean, log_scale = self._at(mean, var, free)
        return (x - mean) * log_scale.exp(), _log_det(log_scale, x)

    def inverse(
        self, x: Tensor, free: Tensor | None = None, moments: Moments | None = None
    ) -> tuple[Tensor, Tensor]:
        """Undo `forward` with the moving moments, or those given; the log-determinant is the inverse's."""
        mean, log_scale = self._at(*(moments or (self.running_mean, self.running_var)), free)
        return x * (-log_scale).exp() + mean, -_log_det(log_scale, x)

    def _at(self, mean: Tensor, var: Tensor, free: Tensor | None) -> tuple[Tensor, Tensor]:
        log_scale = -0.5 * torch.log(var + self.eps)
        # Positions that are not free keep their value: mean 0 and scale 1.
        return (mean, log_scale) if free is None else (mean * free, log_scale * free)

    def _moments(self, x: Tensor, free: Tensor | None) -> tuple[Tensor, Tensor]:
        mean, var = _batch_moments(x, free, self.tf_compat)
        if self.replays:
            return mean, var
        if self.lag is not None:
            # The first batches enter with weight 1, 1/2, 1/3, ..., so the initial moments leave no trace.
            weight = (1 / (self.batches + 1)).clamp(min=1 - self.lag)
            mean, var = torch.lerp(self.running_mean, mean, weight), torch.lerp(self.running_var, var, weight)
        with torch.no_grad():
            momentum = self.momentum if self.lag is None else 1.0
            self.running_mean.lerp_(mean, momentum)
            self.running_var.lerp_(var, momentum)
            self.batches.add_(1)
        return mean, var


def _log_det(log_scale: Tensor, x: Tensor) -> Tensor:
    positions = x[0].numel() // log_scale.numel()
    return positions * log_scale.sum()


def _batch_moments(x: Tensor, free: Tensor | None, all_positions: bool) -> tuple[Tensor, Tensor]:
    """Mean and biased variance `[1, C, 1, 1]` over the free positions."""
    if free is not None and all_positions:
        x, free = x * free, None
    mean = _average(x, free)
    return mean, _average((x - mean).square(), free)


def _average(x: Tensor, free: Tensor | None) -> Tensor:
    if free is None:
        return x.mean(dim=(0, 2, 3), keepdim=True)
    return (x * (free / (free.sum() * x.shape[0]))).sum(dim=(0, 2, 3), keepdim=True)
