"""Affine and additive coupling layers (sections 3.2 to 3.4)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.realnvp.flow_norm import FlowNorm, Moments
from methods.realnvp.masks import checkerboard


class Coupling(nn.Module):
    """One half of the variables is kept and computes the scale and translation of the other half.

    `y = x * exp(s) + t` with `s = r * tanh(raw_s)` and one learned bound r per channel, followed by the
    flow's batch normalisation if there is one. An additive coupling has s = 0 (Dinh et al., NICE, 2014).

    Args:
        net: makes the s/t network from its number of output channels.
        channels: channels of the changed half.
        affine: whether there is a scale.
        scale_init: initial value of r.
        norm: normalisation of the changed half, or None.
    """

    def __init__(
        self,
        net: Callable[[int], nn.Module],
        channels: int,
        affine: bool = True,
        scale_init: float = 0.0,
        norm: FlowNorm | None = None,
    ) -> None:
        super().__init__()
        self.net = net(2 * channels if affine else channels)
        self.bound = nn.Parameter(torch.full((channels, 1, 1), scale_init)) if affine else None
        self.norm = norm

    @abstractmethod
    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """`[B, C, H, W]` to the same shape and the log-determinant `[B]`.

        `context` `[B, K, H', W']`, what the networks are told besides, is averaged to the size of `x`.
        """

    @abstractmethod
    def inverse(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Undo `forward` in evaluation mode; returns x and the log-determinant `[B]` of the inverse."""

    @abstractmethod
    def kept(self, x: Tensor) -> Tensor:
        """What the network reads of `x`, or of its image."""

    @abstractmethod
    def asked(self, kept: Tensor, context: Tensor | None) -> Tensor:
        """What the network says."""

    @abstractmethod
    def done(self, x: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """`forward`, given what the network says."""

    @abstractmethod
    def undone(self, y: Tensor, raw: Tensor, moments: Moments | None) -> Tensor:
        """The input of `forward`, given what the network says and the moments that normalised."""

    @abstractmethod
    def placed(self, kept: Tensor, x: Tensor) -> Tensor:
        """The gradient of `kept` as one of `x`."""

    def _raw(self, kept: Tensor, mask: Tensor | None, context: Tensor | None) -> Tensor:
        """What the network says of the kept half."""
        inputs = [kept] if mask is None else [kept, mask]
        if context is None:
            raw: Tensor = self.net(*inputs)
            return raw
        height, width = kept.shape[-2:]
        raw = self.net(*inputs, context=F.adaptive_avg_pool2d(context, (height, width)))
        return raw

    def _scale_shift(self, raw: Tensor, free: Tensor | None = None) -> tuple[Tensor | None, Tensor]:
        """Log-scale (None if additive) and translation, both 0 where `free` is 0."""
        if self.bound is None:
            return None, raw if free is None else raw * free
        raw_s, t = raw.chunk(2, dim=1)
        if free is None:
            return raw_s.tanh() * self.bound, t
        return raw_s.tanh() * (self.bound * free), t * free

    def _encode(self, x: Tensor, raw: Tensor, free: Tensor | None = None) -> tuple[Tensor, Tensor]:
        s, t = self._scale_shift(raw, free)
        y = x + t if s is None else x * s.exp() + t
        log_det = _sum(s, x)
        if self.norm is None:
            return y, log_det
        y, norm_log_det = self.norm(y, free)
        return y, log_det + norm_log_det

    def _decode(
        self, y: Tensor, raw: Tensor, free: Tensor | None = None, moments: Moments | None = None
    ) -> tuple[Tensor, Tensor]:
        s, t = self._scale_shift(raw, free)
        log_det = -_sum(s, y)
        if self.norm is not None:
            y, norm_log_det = self.norm.inverse(y, free, moments)
            log_det = log_det + norm_log_det
        return y - t if s is None else (y - t) * (-s).exp(), log_det


class CheckerboardCoupling(Coupling):
    """Keeps the pixels where the mask is 1 and changes the others (figure 3, left).

    Args:
        net: as for `Coupling`; called with the masked image and the mask.
        shape: `(C, H, W)` of the images it is built for; other sizes are taken as well.
        invert: keep the even pixels (row + column) instead of the odd ones.
        options: of `Coupling`.
    """

    def __init__(
        self,
        net: Callable[[int], nn.Module],
        shape: tuple[int, int, int],
        invert: bool = False,
        affine: bool = True,
        scale_init: float = 0.0,
        norm: FlowNorm | None = None,
    ) -> None:
        channels, height, width = shape
        super().__init__(net, channels, affine, scale_init, norm)
        self.invert = invert
        self._mask: Tensor
        self.register_buffer("_mask", checkerboard(height, width, invert), persistent=False)

    def mask(self, x: Tensor) -> Tensor:
        """The mask `[1, 1, H, W]` for an image `[B, C, H, W]`: 1 where a pixel is kept."""
        if x.shape[-2:] == self._mask.shape[-2:]:
            return self._mask
        return checkerboard(x.shape[-2], x.shape[-1], self.invert).to(x)

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self.done(x, self.asked(self.kept(x), context))

    def kept(self, x: Tensor) -> Tensor:
        return x * self.mask(x)

    def asked(self, kept: Tensor, context: Tensor | None) -> Tensor:
        return self._raw(kept, self.mask(kept), context)

    def done(self, x: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        return self._encode(x, raw, 1 - self.mask(x))

    def undone(self, y: Tensor, raw: Tensor, moments: Moments | None) -> Tensor:
        return self._decode(y, raw, 1 - self.mask(y), moments)[0]

    def placed(self, kept: Tensor, x: Tensor) -> Tensor:
        return kept * self.mask(x)

    def inverse(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        mask = self.mask(y)
        return self._decode(y, self._raw(y * mask, mask, context), 1 - mask)


class ChannelCoupling(Coupling):
    """Keeps the first half of the channels and changes the second, or the reverse if `invert` (figure 3,
    right)."""

    def __init__(
        self,
        net: Callable[[int], nn.Module],
        channels: int,
        invert: bool = False,
        affine: bool = True,
        scale_init: float = 0.0,
        norm: FlowNorm | None = None,
    ) -> None:
        super().__init__(net, channels // 2, affine, scale_init, norm)
        self.invert = invert

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self.done(x, self.asked(self.kept(x), context))

    def kept(self, x: Tensor) -> Tensor:
        return self._split(x)[0]

    def asked(self, kept: Tensor, context: Tensor | None) -> Tensor:
        return self._raw(kept, None, context)

    def done(self, x: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        kept, changed = self._split(x)
        changed, log_det = self._encode(changed, raw)
        return self._join(kept, changed), log_det

    def undone(self, y: Tensor, raw: Tensor, moments: Moments | None) -> Tensor:
        kept, changed = self._split(y)
        return self._join(kept, self._decode(changed, raw, None, moments)[0])

    def placed(self, kept: Tensor, x: Tensor) -> Tensor:
        return self._join(kept, torch.zeros_like(self._split(x)[1]))

    def inverse(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        kept, changed = self._split(y)
        changed, log_det = self._decode(changed, self._raw(kept, None, context))
        return self._join(kept, changed), log_det

    def _split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        first, second = x.chunk(2, dim=1)
        return (second, first) if self.invert else (first, second)

    def _join(self, kept: Tensor, changed: Tensor) -> Tensor:
        return torch.cat((changed, kept) if self.invert else (kept, changed), dim=1)


class DiagonalScale(nn.Module):
    """One learned log-scale per variable, the last layer of NICE (section 3.3 there)."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(shape))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """`[B, C, H, W]` to the same shape and the log-determinant `[B]`."""
        return x * self.log_scale.exp(), self.log_scale.sum().expand(x.shape[0])

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Undo `forward`; the log-determinant is that of the inverse."""
        return y * (-self.log_scale).exp(), -self.log_scale.sum().expand(y.shape[0])


def _sum(s: Tensor | None, x: Tensor) -> Tensor:
    """Sum of the log-scales per image, `[B]` also where there are none."""
    return x.new_zeros(x.shape[0]) if s is None else s.flatten(1).sum(dim=1)
