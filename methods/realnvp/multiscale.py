"""The multi-scale flow (section 3.6): couplings, squeezing and factoring out."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from methods.realnvp import reversible
from methods.realnvp.config import RealNVPConfig
from methods.realnvp.coupling import ChannelCoupling, CheckerboardCoupling, Coupling, DiagonalScale
from methods.realnvp.flow_norm import FlowNorm
from methods.realnvp.network import ResidualNet
from methods.realnvp.squeeze import squeeze, squeeze_ordered, unsqueeze, unsqueeze_ordered

Shape = tuple[int, int, int]


class Scale(nn.Module):
    """The couplings of one scale: in the paper three on a checkerboard and three on channels, or four on a
    checkerboard.

    Args:
        shape: `(C, H, W)` of its images.
        width: feature maps of the checkerboard couplings' networks; the channel couplings' have twice as
            many.
        config: the flow's settings.
        last: whether this is the coarsest scale, which squeezes no more.
        context: channels of what the networks are told besides.
    """

    def __init__(self, shape: Shape, width: int, config: RealNVPConfig, last: bool, context: int = 0) -> None:
        super().__init__()
        self.ordered = config.squeeze_mask == "checkerboard"
        self.reversible = config.reversible
        inverts = [config.mask == "alternate" and i % 2 == 1 for i in range(config.couplings + 1)]
        self.checkerboard = nn.ModuleList(
            _checkerboard(shape, width, config, invert, context)
            for invert in (inverts if last else inverts[:-1])
        )
        self.channel = nn.ModuleList(
            _channel(4 * shape[0], 2 * width, config, invert, context)
            for invert in ([] if last else inverts[:-1])
        )

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """`[B, C, H, W]` to the same shape and the log-determinant `[B]`."""
        x, log_det = self._through(x, self.checkerboard, context)
        if not len(self.channel):
            return x, log_det
        x, channel_log_det = self._through(self._squeeze(x), self.channel, context)
        return self._unsqueeze(x), log_det + channel_log_det

    def _through(self, x: Tensor, layers: nn.ModuleList, context: Tensor | None) -> tuple[Tensor, Tensor]:
        if self.reversible and torch.is_grad_enabled():
            return reversible.chain(x, [layer for layer in layers if isinstance(layer, Coupling)], context)
        return _chain(x, layers, context)

    def inverse(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Undo `forward`; the log-determinant is that of the inverse."""
        log_det = y.new_zeros(y.shape[0])
        if len(self.channel):
            y, log_det = _chain_inverse(self._squeeze(y), self.channel, context)
            y = self._unsqueeze(y)
        y, checkerboard_log_det = _chain_inverse(y, self.checkerboard, context)
        return y, log_det + checkerboard_log_det

    def _squeeze(self, x: Tensor) -> Tensor:
        # The ordered squeeze puts one colour of the checkerboard into the first half of the channels.
        return squeeze_ordered(x) if self.ordered else squeeze(x)

    def _unsqueeze(self, x: Tensor) -> Tensor:
        return unsqueeze_ordered(x) if self.ordered else unsqueeze(x)


class RealNVP(nn.Module):
    """The flow z = f(y) from logit images to latents of the same shape, and its inverse.

    Latents lie where the pixels lay: those that leave at scale i fill the anti-diagonals of the 2x2 blocks of
    their scale, the coarsest sit on what remains. All but additive flows take other image sizes than they
    were built for, as long as these divide.

    Args:
        shape: `(C, H, W)` of the images.
        config: the settings.
        context: channels of what the networks are told besides, such as a class; 0 for nothing.

    Raises:
        ValueError: if the sides do not divide by 2 once per squeeze, or end below 2 pixels.
    """

    def __init__(self, shape: Shape, config: RealNVPConfig, context: int = 0) -> None:
        super().__init__()
        _check(shape, config.n_scale)
        self.shape = shape
        self.factor_out = config.factor_out
        channels, height, width = shape
        growth = 2 if config.factor_out else 4
        self.scales = nn.ModuleList(
            Scale(
                (channels * growth**i, height // 2**i, width // 2**i),
                config.width * 2**i,
                config,
                last=i == config.n_scale - 1,
                context=context,
            )
            for i in range(config.n_scale)
        )
        self.top = DiagonalScale(shape) if config.coupling == "additive" else None

    def forward(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Latents `[B, C, H, W]` of `y` `[B, C, H, W]` and the log-determinant `[B]` of the map.

        `context` is `[B, K, H, W]`, not below 0.
        """
        latents: list[Tensor] = []
        log_det = y.new_zeros(y.shape[0])
        for i, scale in enumerate(self.scales):
            y = self._descend(y, latents) if i else y
            y, scale_log_det = scale(y, context)
            log_det = log_det + scale_log_det
        z = self._ascend_all(y, latents)
        if self.top is None:
            return z, log_det
        z, top_log_det = self.top(z)
        return z, log_det + top_log_det

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Logit images of latents `[B, C, H, W]` and the log-determinant `[B]` of the inverse map.

        Normalisation always uses moving moments in the flow; call it in evaluation mode.
        """
        log_det = z.new_zeros(z.shape[0])
        if self.top is not None:
            z, log_det = self.top.inverse(z)
        latents: list[Tensor] = []
        for _ in range(len(self.scales) - 1):
            z = self._descend(z, latents)
        for i, scale in enumerate(reversed(self.scales)):
            z = self._ascend(z, latents) if i else z
            assert isinstance(scale, Scale)
            z, scale_log_det = scale.inverse(z, context)
            log_det = log_det + scale_log_det
        return z, log_det

    def sample(self, noise: Tensor, temperature: float = 1.0, context: Tensor | None = None) -> Tensor:
        """Logit images of latents `temperature * noise`, where `noise` `[B, C, H, W]` is standard normal."""
        y: Tensor = self.inverse(temperature * noise, context)[0]
        return y

    def latent_scale(self) -> Tensor:
        """The scale, int64 `[C, H, W]` from 0 (finest), at which each latent leaves the flow."""
        latents: list[Tensor] = []
        z = torch.zeros(1, *self.shape, dtype=torch.int64)
        for _ in range(len(self.scales) - 1):
            z = self._descend(z, latents)
        latents = [torch.full_like(latent, i) for i, latent in enumerate(latents)]
        return self._ascend_all(torch.full_like(z, len(self.scales) - 1), latents)[0]

    def _descend(self, x: Tensor, latents: list[Tensor]) -> Tensor:
        x = squeeze_ordered(x)
        if self.factor_out:
            x, latent = x.chunk(2, dim=1)
            latents.append(latent)
        return x

    def _ascend(self, x: Tensor, latents: list[Tensor]) -> Tensor:
        return unsqueeze_ordered(torch.cat((x, latents.pop()), dim=1) if self.factor_out else x)

    def _ascend_all(self, x: Tensor, latents: list[Tensor]) -> Tensor:
        for _ in range(len(self.scales) - 1):
            x = self._ascend(x, latents)
        return x


def first_nonfinite(flow: RealNVP, y: Tensor, context: Tensor | None = None) -> str | None:
    """Name of the first coupling whose output or log-determinant on `y` is not finite, None if all are."""
    found: list[str] = []
    names = {module: name for name, module in flow.named_modules()}

    def check(module: nn.Module, _: object, output: tuple[Tensor, Tensor]) -> None:
        if not all(tensor.isfinite().all() for tensor in output):
            found.append(names[module])

    hooks = [module.register_forward_hook(check) for module in _couplings(flow)]
    try:
        flow(y, context)
    finally:
        for hook in hooks:
            hook.remove()
    return found[0] if found else None


def _couplings(flow: nn.Module) -> Iterator[Coupling]:
    return (module for module in flow.modules() if isinstance(module, Coupling))


def _chain(x: Tensor, layers: nn.ModuleList, context: Tensor | None) -> tuple[Tensor, Tensor]:
    log_det = x.new_zeros(x.shape[0])
    for layer in layers:
        x, layer_log_det = layer(x, context)
        log_det = log_det + layer_log_det
    return x, log_det


def _chain_inverse(y: Tensor, layers: nn.ModuleList, context: Tensor | None) -> tuple[Tensor, Tensor]:
    log_det = y.new_zeros(y.shape[0])
    for layer in reversed(layers):
        assert isinstance(layer, Coupling)
        y, layer_log_det = layer.inverse(y, context)
        log_det = log_det + layer_log_det
    return y, log_det


def _flow_norm(channels: int, config: RealNVPConfig) -> FlowNorm | None:
    if config.flow_bn == "none":
        return None
    return FlowNorm(channels, config.flow_bn_rho if config.flow_bn == "lag" else None, config.tf_compat)


def _checkerboard(
    shape: Shape, width: int, config: RealNVPConfig, invert: bool, context: int
) -> CheckerboardCoupling:
    channels = shape[0]
    return CheckerboardCoupling(
        lambda out: ResidualNet(
            channels, out, width, config.blocks, config.net_norm, config.dropout, True, context
        ),
        shape,
        invert,
        config.coupling == "affine",
        config.scale_init,
        _flow_norm(channels, config),
    )


def _channel(channels: int, width: int, config: RealNVPConfig, invert: bool, context: int) -> ChannelCoupling:
    return ChannelCoupling(
        lambda out: ResidualNet(
            channels // 2, out, width, config.blocks, config.net_norm, config.dropout, False, context
        ),
        channels,
        invert,
        config.coupling == "affine",
        config.scale_init,
        _flow_norm(channels // 2, config),
    )


def _check(shape: Shape, n_scale: int) -> None:
    _, height, width = shape
    factor = 2 ** (n_scale - 1)
    if height % factor or width % factor:
        raise ValueError(
            f"method.n_scale={n_scale} needs image sides that divide by {factor},"
            f" but images are {height}x{width}"
        )
    if min(height, width) // factor < 2:
        raise ValueError(
            f"method.n_scale={n_scale} leaves {height // factor}x{width // factor} of {height}x{width}"
            " images, and a checkerboard needs at least 2x2"
        )
