"""The flow and its layers: inverses, Jacobians by autograd, masks, and a second implementation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from methods.realnvp.coupling import ChannelCoupling, CheckerboardCoupling, Coupling, DiagonalScale
from methods.realnvp.flow_norm import FlowNorm
from methods.realnvp.logit import Logit
from methods.realnvp.masks import checkerboard
from methods.realnvp.multiscale import RealNVP, first_nonfinite
from methods.realnvp.squeeze import squeeze, squeeze_ordered, unsqueeze, unsqueeze_ordered
from tests.methods.realnvp.reference import Reference, load, objective
from tests.methods.realnvp.settings import config, flow, randomise


class Conditioner(nn.Module):
    """An arbitrary network that could not be inverted: rank one and a dead ReLU."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.squash = nn.Conv2d(channels, 1, 3, padding=1)
        self.spread = nn.Conv2d(1, out, 1)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.spread(torch.relu(self.squash(x)))


def checkerboard_layer(**options: Any) -> Coupling:
    return CheckerboardCoupling(lambda out: Conditioner(3, out), (3, 4, 4), **options)


def channel_layer(**options: Any) -> Coupling:
    return ChannelCoupling(lambda out: Conditioner(2, out), 4, **options)


class NormOnly(nn.Module):
    """Flow batch normalisation as a layer, with a log-determinant per image."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = FlowNorm(3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y, log_det = self.norm(x)
        return y, log_det.expand(len(x))

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        x, log_det = self.norm.inverse(y)
        return x, log_det.expand(len(y))


LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, int, int]]] = {
    "checkerboard": (checkerboard_layer, (3, 4, 4)),
    "checkerboard inverted": (lambda: checkerboard_layer(invert=True, norm=FlowNorm(3)), (3, 4, 4)),
    "checkerboard tf_compat": (lambda: checkerboard_layer(norm=FlowNorm(3, tf_compat=True)), (3, 4, 4)),
    "checkerboard additive": (lambda: checkerboard_layer(affine=False), (3, 4, 4)),
    "channel": (channel_layer, (4, 4, 3)),
    "channel inverted": (lambda: channel_layer(invert=True, norm=FlowNorm(2)), (4, 3, 4)),
    "channel lag": (lambda: channel_layer(norm=FlowNorm(2, lag=0.9)), (4, 3, 4)),
    "channel additive": (lambda: channel_layer(affine=False, norm=FlowNorm(2)), (4, 3, 4)),
    "diagonal scale": (lambda: DiagonalScale((3, 4, 4)), (3, 4, 4)),
    "norm": (NormOnly, (3, 4, 4)),
    "flow, one scale": (lambda: flow((1, 4, 4), n_scale=1), (1, 4, 4)),
    "flow, two scales": (lambda: flow((3, 4, 4)), (3, 4, 4)),
    "flow, three scales": (lambda: flow((1, 8, 8), n_scale=3, blocks=0), (1, 8, 8)),
    "flow, not square": (lambda: flow((1, 4, 8)), (1, 4, 8)),
    "flow, no norms": (lambda: flow((3, 4, 4), net_norm="none", flow_bn="none"), (3, 4, 4)),
    "flow, lag": (lambda: flow((3, 4, 4), flow_bn="lag"), (3, 4, 4)),
    "flow, additive": (lambda: flow((3, 4, 4), coupling="additive"), (3, 4, 4)),
    "flow, fixed mask": (lambda: flow((3, 4, 4), mask="fixed"), (3, 4, 4)),
    "flow, no factoring": (lambda: flow((1, 4, 4), factor_out=False), (1, 4, 4)),
    "flow, checkerboard squeeze": (lambda: flow((3, 4, 4), squeeze_mask="checkerboard"), (3, 4, 4)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_is_inverted_and_has_the_jacobian_that_it_says(name: str) -> None:
    """R1, R2 and R4: the log-determinant against autograd's Jacobian, the inverse, and their sum of zero."""
    make, shape = LAYERS[name]
    layer = make().double().eval()
    randomise(layer, seed=1)
    x = torch.randn(2, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    y, log_det = layer(x)
    back, inverse_log_det = layer.inverse(y)
    assert y.shape == x.shape
    assert y.dtype == torch.float64
    assert log_det.shape == inverse_log_det.shape == (2,)
    assert (back - x).abs().max() < 1e-9
    assert (log_det + inverse_log_det).abs().max() < 1e-8
    for i in range(2):
        jacobian = torch.autograd.functional.jacobian(lambda v: layer(v[None])[0][0].flatten(), x[i])
        size = x[i].numel()
        assert abs(torch.linalg.slogdet(jacobian.reshape(size, size)).logabsdet - log_det[i]) < 1e-8


@pytest.mark.parametrize("n_scale", [1, 2, 3])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-4), (torch.float64, 1e-9)])
def test_a_trained_flow_is_inverted(n_scale: int, channels: int, dtype: torch.dtype, bound: float) -> None:
    torch.manual_seed(0)
    made = RealNVP((channels, 8, 12), config(n_scale=n_scale)).to(dtype)
    images = torch.randint(0, 256, (16, channels, 8, 12), dtype=torch.uint8)
    optimizer, logit = torch.optim.Adam(made.parameters(), 1e-3), Logit(256)
    for steps in (0, 50):
        for _ in range(steps):
            y, _ = logit(images, torch.rand(images.shape, dtype=dtype))
            z, log_det = made.train()(y)
            optimizer.zero_grad()
            (0.5 * (z * z).flatten(1).sum(1) - log_det).mean().backward()
            optimizer.step()
        y, _ = logit(images, torch.rand(images.shape, dtype=dtype))
        with torch.no_grad():
            z, log_det = made.eval()(y)
            back, inverse_log_det = made.inverse(z)
        assert z.dtype == dtype
        assert (back - y).abs().max() < bound
        assert torch.allclose(log_det, -inverse_log_det, atol=bound * channels * 96)


def test_at_the_start_the_scales_are_one() -> None:
    made = RealNVP((3, 8, 8), config(flow_bn="none")).eval()
    assert made(torch.randn(2, 3, 8, 8))[1].abs().max() == 0


@pytest.mark.parametrize("invert", [False, True])
def test_scale_and_shift_see_the_kept_half_only(invert: bool) -> None:
    """R3: changing a variable that is kept changes the others; changing one that is not changes itself
    alone."""
    for layer, shape, kept in (
        (checkerboard_layer(invert=invert), (3, 4, 4), checkerboard(4, 4, invert)[0].expand(3, 4, 4).bool()),
        (
            channel_layer(invert=invert),
            (4, 3, 3),
            torch.tensor([not invert] * 2 + [invert] * 2)[:, None, None].expand(4, 3, 3),
        ),
    ):
        layer = layer.double().eval()
        randomise(layer, seed=3)
        x = torch.randn(1, *shape, dtype=torch.float64)
        jacobian = torch.autograd.functional.jacobian(lambda v, layer=layer: layer(v)[0].flatten(), x)
        jacobian = jacobian.reshape(x.numel(), x.numel())
        kept = kept.flatten()
        assert torch.equal(jacobian[kept], torch.eye(x.numel(), dtype=torch.float64)[kept])
        free = jacobian[~kept][:, ~kept]
        assert torch.equal(free, torch.diag(free.diagonal()))
        assert jacobian[~kept][:, kept].abs().max() > 0


def test_after_two_alternating_layers_every_variable_has_changed() -> None:
    for mask, share in (("alternate", 1.0), ("fixed", 0.5)):
        made = flow((1, 8, 8), n_scale=1, mask=mask, flow_bn="none")
        x = torch.randn(1, 1, 8, 8, dtype=torch.float64)
        assert ((made(x)[0] - x).abs() > 1e-12).double().mean() == share


def test_squeezing_orders() -> None:
    x = torch.arange(32.0).reshape(1, 2, 4, 4)
    plain, ordered = squeeze(x), squeeze_ordered(x)
    assert plain[0, :, 0, 0].tolist() == [0, 1, 4, 5, 16, 17, 20, 21]
    assert ordered[0, :, 0, 0].tolist() == [0, 16, 5, 21, 1, 17, 4, 20]
    assert torch.equal(plain, torch.nn.functional.pixel_unshuffle(x, 2))
    for do, undo in ((squeeze, unsqueeze), (squeeze_ordered, unsqueeze_ordered)):
        assert torch.equal(undo(do(x)), x)
        assert torch.equal(do(x).flatten().sort().values, x.flatten())


def test_checkerboard_and_channel_split_after_squeezing_overlap_in_half() -> None:
    """R8: the channel split is not the checkerboard again."""
    board = squeeze(checkerboard(8, 8).expand(1, 1, 8, 8))
    first_half = torch.zeros_like(board)
    first_half[:, :2] = 1
    assert (board == first_half).float().mean() == 0.5
    ordered = squeeze_ordered(checkerboard(8, 8).expand(1, 1, 8, 8))
    assert set(ordered[:, :2].unique().tolist()) == {0.0}


def test_latents_leave_at_their_scale() -> None:
    scale = flow((1, 8, 8), n_scale=3).latent_scale()
    assert torch.bincount(scale.flatten()).tolist() == [32, 16, 16]
    assert torch.equal(scale[0] == 0, checkerboard(8, 8)[0, 0].bool())


@pytest.mark.parametrize(("sizes", "channels"), [((2, 1, 4), 1), ((3, 2, 4), 3), ((1, 0, 4), 3)])
@pytest.mark.parametrize("train", [True, False])
def test_the_fast_way_equals_the_straightforward_one(
    sizes: tuple[int, int, int], channels: int, train: bool
) -> None:
    """Full-size masks, one-hot convolutions, torch's weight_norm and BatchNorm2d; value, gradients and
    moments."""
    n_scale, blocks, width = sizes
    shape = (channels, 8, 8)
    ours = flow(shape, n_scale=n_scale, blocks=blocks, width=width).train(train)
    theirs = Reference(channels, n_scale, blocks, width).double().train(train)
    load(theirs, ours)
    images = torch.randint(0, 256, (5, *shape), generator=torch.Generator().manual_seed(1))
    noise = torch.rand(5, *shape, dtype=torch.float64)
    y, preprocess = Logit(256)(images, noise)
    z, log_det = ours(y)
    prior = torch.distributions.Normal(0, 1).log_prob(z).flatten(1).sum(1)
    bits = -(prior + log_det + preprocess) / (
        z[0].numel() * torch.log(torch.tensor(2.0, dtype=torch.float64))
    )
    expected = objective(theirs, images, noise, 256)
    assert torch.allclose(bits, expected, atol=1e-10)
    bits.mean().backward()
    expected.mean().backward()
    a = ours.scales[0].checkerboard[0].net.conv_in.direction.grad
    b = theirs.checkerboard[0].net.conv_in.parametrizations.weight.original1.grad
    assert torch.allclose(a, b, atol=1e-10)
    if train:
        norms = ours.scales[0].checkerboard[1].norm, theirs.checkerboard[1].norm
        assert torch.allclose(norms[0].running_var[0], norms[1].running_var, atol=1e-10)


@pytest.mark.parametrize("lag", [None, 0.99])
def test_flow_normalisation_centres_and_counts_positions(lag: float | None) -> None:
    norm = FlowNorm(3, lag).train()
    x = 5 + 3 * torch.randn(64, 3, 6, 5)
    free = 1 - checkerboard(6, 5)
    y, log_det = norm(x, free)
    changed = y[:, :, free[0, 0].bool()]
    assert changed.mean(dim=(0, 2)).abs().max() < 1e-3
    assert (changed.var(dim=(0, 2), unbiased=False) - 1).abs().max() < 1e-3
    assert torch.equal(y[:, :, ~free[0, 0].bool()], x[:, :, ~free[0, 0].bool()])
    variance = x[:, :, free[0, 0].bool()].var(dim=(0, 2), unbiased=False)
    assert log_det.item() == pytest.approx(-0.5 * 15 * torch.log(variance + 1e-4).sum().item(), rel=1e-4)


def test_the_authors_moments_leave_a_variance_of_two() -> None:
    norm = FlowNorm(1, tf_compat=True).train()
    free = 1 - checkerboard(8, 8)
    y, _ = norm(torch.randn(256, 1, 8, 8), free)
    assert y[:, :, free[0, 0].bool()].var().item() == pytest.approx(2.0, abs=0.1)


def test_moving_moments() -> None:
    norm, plain = FlowNorm(2), nn.BatchNorm2d(2, eps=1e-4, affine=False)
    for i in range(5):
        x = torch.randn(8, 2, 4, 4, generator=torch.Generator().manual_seed(i)) * 2 + 1
        norm.train()(x)
        plain.train()(x)
    assert torch.allclose(norm.running_mean.flatten(), plain.running_mean, atol=1e-6)
    # torch's moving variance is the unbiased one
    biased = plain.running_var.clone()
    assert torch.allclose(norm.running_var.flatten(), (biased - 0.9**5) * 127 / 128 + 0.9**5, atol=1e-4)


@pytest.mark.parametrize(
    ("shape", "n_scale", "words"),
    [
        ((1, 8, 8), 5, "divide by 16"),
        ((1, 28, 28), 4, "divide by 8"),
        ((1, 8, 8), 4, "1x1"),
        ((3, 6, 8), 3, "6x8"),
    ],
)
def test_sizes_that_do_not_fit_are_named(shape: tuple[int, int, int], n_scale: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        RealNVP(shape, config(n_scale=n_scale))


def test_masks_are_neither_saved_nor_left_behind() -> None:
    made = flow((1, 8, 8))
    assert not any("mask" in name for name in made.state_dict())
    assert any("mask" in name for name, _ in made.to("meta").named_buffers())
    assert all(buffer.device.type == "meta" for buffer in made.buffers())


def test_the_layer_of_the_first_bad_number_is_named() -> None:
    made = flow((1, 8, 8))
    y = torch.randn(2, 1, 8, 8, dtype=torch.float64)
    assert first_nonfinite(made, y) is None
    with torch.no_grad():
        made.scales[0].channel[1].bound.fill_(float("nan"))
    assert first_nonfinite(made, y) == "scales.0.channel.1"


def test_sampling() -> None:
    made = flow((1, 8, 8))
    noise = torch.randn(3, 1, 8, 8, dtype=torch.float64)
    cold = made.sample(noise, 0.0)
    assert torch.equal(cold[0], cold[1])
    assert torch.allclose(cold, made.inverse(torch.zeros_like(noise))[0])
    assert (made(made.sample(noise))[0] - noise).abs().max() < 1e-9


def test_other_sizes_than_it_was_built_for() -> None:
    made = flow((1, 8, 8))
    y = torch.randn(1, 1, 16, 24, dtype=torch.float64)
    z, _ = made(y)
    assert (made.inverse(z)[0] - y).abs().max() < 1e-9
