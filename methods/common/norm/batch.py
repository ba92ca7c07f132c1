"""Batch normalisation (Ioffe and Szegedy, 2015), and batch renormalisation (Ioffe, 2017)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from methods.common.norm.moments import moments, refuse_mixed, scaled, wide


class BatchNorm(nn.Module):
    """Normalises each channel over the batch and all positions (algorithm 1 of the paper).

    Training uses the batch's mean and biased variance, and moves the running ones towards the batch's mean
    and *unbiased* variance; evaluation uses the running ones, a fixed affine map (algorithm 2, with moving
    averages in the place of averages over many batches, for which see `recalibrate`). Gradients flow through
    the batch's moments, and so do second ones. Half precision is normalised in single precision.

    Arguments:
        channels: channels C.
        eps: added to the variance before its square root is taken.
        momentum: weight of a new batch in the running moments; None for the average of all batches.
        affine: whether there is a learned gain (1 at first) and offset (0) for each channel.
        track_running_stats: whether there are running moments; without, evaluation uses the batch's, too.

    The state has torch.nn's names, shapes and meaning.
    """

    ndims: tuple[int, ...]

    def __init__(
        self,
        channels: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
    ) -> None:
        super().__init__()
        self.channels, self.eps, self.momentum = channels, eps, momentum
        self.weight = nn.Parameter(torch.ones(channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(channels)) if affine else None
        self.track_running_stats = track_running_stats
        self.running_mean: Tensor
        self.running_var: Tensor
        self.num_batches_tracked: Tensor
        running = (torch.zeros(channels), torch.ones(channels), torch.tensor(0))
        for name, start in zip(("running_mean", "running_var", "num_batches_tracked"), running, strict=True):
            self.register_buffer(name, start if track_running_stats else None)

    def forward(self, x: Tensor) -> Tensor:
        """`[B, C, ...]` to the same shape and type.

        Raises ValueError for another number of dimensions or channels, another type of numbers, and where the
        batch's moments are used for one value a channel, whose variance is nothing. A batch without values is
        returned as it is.
        """
        self._refuse(x)
        if not self._own_moments:
            mean, var = (
                one.view(1, -1, *[1] * (x.ndim - 2)) for one in (self.running_mean, self.running_var)
            )
            return self._affine((wide(x) - mean) / (var + self.eps).sqrt(), x)
        if self.track_running_stats:
            self.num_batches_tracked += 1
        if x.numel() == 0:
            return self._affine(wide(x), x)
        mean, var = moments(wide(x), (0, *range(2, x.ndim)))
        normalised = self._normalised(wide(x), mean, var)
        if self.track_running_stats:
            self._track(mean.detach().flatten(), var.detach().flatten(), x.numel() // self.channels)
        return self._affine(normalised, x)

    @property
    def _own_moments(self) -> bool:
        """Whether a batch is normalised by its own moments."""
        return self.training or not self.track_running_stats

    def _normalised(self, x: Tensor, mean: Tensor, var: Tensor) -> Tensor:
        return (x - mean) / (var + self.eps).sqrt()

    def _affine(self, normalised: Tensor, x: Tensor) -> Tensor:
        return scaled(normalised, self.weight, self.bias).to(x.dtype)

    @torch.no_grad()
    def _track(self, mean: Tensor, var: Tensor, count: int) -> None:
        dtype = self.running_mean.dtype
        share = self.num_batches_tracked.to(dtype).reciprocal() if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(dtype), share)
        self.running_var.lerp_((var * count / (count - 1)).to(dtype), share)

    def _refuse(self, x: Tensor) -> None:
        shape = tuple(x.shape)
        if x.ndim not in self.ndims:
            wanted = " or ".join(map(str, self.ndims))
            raise ValueError(f"{type(self).__name__} takes {wanted} dimensions, not {shape}")
        if shape[1] != self.channels:
            raise ValueError(f"{type(self).__name__} has {self.channels} channels, not those of {shape}")
        if self._own_moments and x.numel() == self.channels > 0:
            raise ValueError(f"{shape} has one value a channel; batch statistics need two or more")
        refuse_mixed(x, self.running_mean if self.weight is None else self.weight)

    def extra_repr(self) -> str:
        return f"{self.channels}, eps={self.eps}, momentum={self.momentum}, affine={self.weight is not None}"


class BatchNorm1d(BatchNorm):
    """Batch normalisation of `[B, C]` or `[B, C, L]`."""

    ndims = (2, 3)


class BatchNorm2d(BatchNorm):
    """Batch normalisation of `[B, C, H, W]`."""

    ndims = (4,)


class BatchNorm3d(BatchNorm):
    """Batch normalisation of `[B, C, D, H, W]`."""

    ndims = (5,)


class BatchRenorm(BatchNorm):
    """Batch renormalisation of `[B, C, ...]`: training sees what evaluation will, within bounds.

    The batch's moments are corrected towards the running ones by `r` and `d`, through which no gradient
    flows. Both are bounded, so that little changes where the running moments are no good yet; with the bounds
    1 and 0 it is batch normalisation.

    Arguments:
        r_max: bound of the ratio of deviations r, which lies in `[1 / r_max, r_max]`; at least 1.
        d_max: bound of the shift d, in running deviations; at least 0. Both defaults are those of the Group
            Normalization paper's comparison (section 4.1), which are larger in the paper of batch
            renormalisation, after a warm-up.
    """

    ndims = (2, 3, 4, 5)

    def __init__(
        self, channels: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
        r_max: float = 1.5, d_max: float = 0.5,
    ) -> None:  # fmt: skip
        if r_max < 1 or d_max < 0:
            raise ValueError(f"r_max must be at least 1 and d_max at least 0, not {r_max} and {d_max}")
        super().__init__(channels, eps, momentum, affine)
        self.r_max, self.d_max = r_max, d_max

    def _normalised(self, x: Tensor, mean: Tensor, var: Tensor) -> Tensor:
        deviation = (var + self.eps).sqrt()
        running = (self.running_var.view_as(var) + self.eps).sqrt()
        with torch.no_grad():
            r = (deviation / running).clamp(1 / self.r_max, self.r_max)
            d = ((mean - self.running_mean.view_as(mean)) / running).clamp(-self.d_max, self.d_max)
        return (x - mean) / deviation * r + d
