"""Bits per dimension, logit and baselines, against closed forms and published constants."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from methods.realnvp.baselines import PixelHistogram, uniform_bits_per_dim
from methods.realnvp.density import bits_per_dim, importance_bound, log_likelihood, standard_normal
from methods.realnvp.logit import Logit
from methods.realnvp.penalty import scale_penalty
from methods.realnvp.recalibrate import recalibrated
from methods.realnvp.weight_norm import WeightNormConv2d
from tests.methods.realnvp.settings import flow


class Identity(nn.Module):
    def forward(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return y, y.new_zeros(len(y))


class ToUniform(nn.Module):
    """Takes the logit of a uniform variable to a normal one: the flow under which pixels are uniform."""

    def forward(self, y: Tensor) -> tuple[Tensor, Tensor]:
        p = torch.sigmoid(y)
        z = math.sqrt(2) * torch.erfinv(2 * p - 1)
        log_slope = torch.log(p * (1 - p)) + 0.5 * z * z + 0.5 * math.log(2 * math.pi)
        return z, log_slope.flatten(1).sum(1)


def bits(model: nn.Module, variant: str, value: int, noise: Tensor, levels: int = 256) -> Tensor:
    images = torch.full(noise.shape, value)
    return bits_per_dim(log_likelihood(model, Logit(levels, variant), images, noise).total, noise[0].numel())


@pytest.mark.parametrize(
    ("variant", "value", "expected"),
    [
        ("symmetric", 128, 7.47775),
        ("symmetric", 0, 11.33570),
        ("symmetric", 255, 11.12769),
        ("paper", 0, 11.25770),
        ("paper", 64, 7.70649),
        ("paper", 128, 7.40336),
        ("paper", 200, 8.08872),
    ],
)
def test_identity_flow_without_noise(variant: str, value: int, expected: float) -> None:
    noise = torch.zeros(2, 3, 2, 2, dtype=torch.float64)
    assert bits(Identity(), variant, value, noise).tolist() == pytest.approx([expected] * 2, abs=1e-5)


@pytest.mark.parametrize(("value", "expected"), [(0, 11.23003), (64, 7.82264)])
def test_identity_flow_on_average(value: int, expected: float) -> None:
    noise = ((torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000).reshape(-1, 1, 1, 1)
    assert bits(Identity(), "symmetric", value, noise).mean().item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("value", "expected"), [(0, 11.228780), (64, 7.822635)])
def test_the_importance_bound_tends_to_the_mass_of_the_cell(value: int, expected: float) -> None:
    images, logit = torch.full((1, 1, 1, 1), value), Logit(256)
    noises = ((torch.arange(4000, dtype=torch.float64) + 0.5) / 4000).reshape(-1, 1, 1, 1, 1)
    bound = importance_bound(Identity(), logit, images, noises)  # type: ignore[arg-type]
    assert bits_per_dim(bound, 1).item() == pytest.approx(expected, abs=1e-6)
    normal = torch.distributions.Normal(torch.tensor(0.0, dtype=torch.float64), 1.0)
    edges = torch.logit(0.05 + 0.9 * torch.tensor([value, value + 1], dtype=torch.float64) / 256)
    assert -torch.log2(normal.cdf(edges[1]) - normal.cdf(edges[0])).item() == pytest.approx(
        expected, abs=1e-6
    )


def test_more_samples_tighten_the_bound_on_average() -> None:
    made, logit = Identity(), Logit(3)  # few levels make wide cells, over which the density varies
    images = torch.randint(0, 3, (256, 1, 4, 4))
    generator = torch.Generator().manual_seed(0)
    means = []
    for count in (1, 4, 16):
        noises = (torch.rand(images.shape, dtype=torch.float64, generator=generator) for _ in range(count))
        with torch.no_grad():
            means.append(importance_bound(made, logit, images, noises).mean().item())
    assert means[0] < means[1] < means[2]


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_uniform_pixels_need_log2_of_the_levels(levels: int) -> None:
    """With any image: the push-forward of the uniform distribution through the logit, whose range is (0,
    1)."""
    logit = Logit(levels)
    logit.offset, logit.slope = 0.0, 1.0
    images = torch.randint(0, levels, (4, 3, 4, 4))
    noise = torch.rand(images.shape, dtype=torch.float64) * 0.98 + 0.01
    total = log_likelihood(ToUniform(), logit, images, noise).total  # type: ignore[arg-type]
    assert torch.allclose(
        bits_per_dim(total, 48), torch.tensor(math.log2(levels), dtype=torch.float64), atol=1e-8
    )
    assert uniform_bits_per_dim(levels) == math.log2(levels)


@pytest.mark.parametrize("variant", ["symmetric", "paper", "none"])
@pytest.mark.parametrize("levels", [2, 17, 256])
def test_every_grey_level_comes_back(variant: str, levels: int) -> None:
    logit, images = Logit(levels, variant), torch.arange(levels).reshape(1, 1, 1, levels)
    for u in (0.001, 0.5, 0.99):
        y, _ = logit(images, torch.full(images.shape, u, dtype=torch.float64))
        assert torch.equal(logit.inverse(y), images.to(torch.uint8))
        assert logit.clipped(y).item() == 0
    far = torch.tensor([-50.0, 50.0]).reshape(2, 1, 1, 1)
    assert logit.inverse(far).flatten().tolist() == [0, levels - 1]
    if variant == "symmetric":
        assert logit.clipped(far).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("variant", ["symmetric", "paper", "none"])
def test_the_logits_log_determinant_is_autograds(variant: str) -> None:
    logit = Logit(256, variant)
    images, noise = torch.randint(0, 256, (2, 1, 2, 2)), torch.rand(2, 1, 2, 2, dtype=torch.float64)
    _, log_det = logit(images, noise)
    for i in range(2):
        one = images[i : i + 1]
        jacobian = torch.autograd.functional.jacobian(
            lambda u, one=one: logit(one, u)[0].flatten(), noise[i : i + 1]
        )
        # noise is in units of grey levels, so its Jacobian already holds the D log 256
        assert torch.linalg.slogdet(jacobian.reshape(4, 4)).logabsdet == pytest.approx(
            log_det[i].item(), abs=1e-9
        )


def test_white_pixels_stay_finite_in_single_precision() -> None:
    y, log_det = Logit(256, "paper")(torch.full((1, 1, 2, 2), 255), torch.full((1, 1, 2, 2), 1 - 2**-24))
    assert y.isfinite().all()
    assert log_det.isfinite().all()


def test_the_parts_add_up_and_the_prior_is_normal() -> None:
    made = flow((3, 4, 4))
    images, noise = torch.randint(0, 256, (5, 3, 4, 4)), torch.rand(5, 3, 4, 4, dtype=torch.float64)
    parts = log_likelihood(made, Logit(256), images, noise)
    assert torch.allclose(parts.total, parts.prior + parts.log_det + parts.preprocess)
    z = torch.randn(3, 2, 4, 4, dtype=torch.float64)
    assert torch.allclose(standard_normal(z), torch.distributions.Normal(0, 1).log_prob(z).flatten(1).sum(1))


def test_the_papers_logit_has_no_bound_near_white() -> None:
    w = (255 + torch.tensor([0.0, 0.9, 0.9999], dtype=torch.float64)) / 256
    p = 0.05 + 0.95 * w
    y = Logit(256, "paper")(torch.full((1, 1, 1, 3), 255), (256 * w - 255).reshape(1, 1, 1, 3))[0]
    assert torch.allclose(y.flatten(), (p / (1 - p)).log(), rtol=1e-9)
    assert y.max() > 14


def test_the_histogram_by_hand() -> None:
    histogram = PixelHistogram((1, 1, 2), 4)
    histogram.add(torch.tensor([[[[0, 3]]], [[[0, 1]]]]))
    # first pixel: counts 2,0,0,0; second: 0,1,0,1; one added to each, six in all
    expected = -(math.log2(3 / 6) + math.log2(1 / 6)) / 2
    assert histogram.bits_per_dim(torch.tensor([[[[0, 2]]]])).item() == pytest.approx(expected)


def test_weight_normalisation_is_torchs() -> None:
    ours = WeightNormConv2d(3, 5, 3, scale=True).double()
    theirs = torch.nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 5, 3, padding=1)).double()
    with torch.no_grad():
        theirs.parametrizations.weight.original0.copy_(ours.magnitude)
        theirs.parametrizations.weight.original1.copy_(ours.direction)
        theirs.bias.copy_(ours.bias)
    x = torch.randn(2, 3, 6, 6, dtype=torch.float64)
    assert torch.allclose(ours(x), theirs(x), atol=1e-12)
    assert not any(name == "magnitude" for name, _ in WeightNormConv2d(3, 5, 3).named_parameters())


def test_the_penalty_is_on_learned_scales_alone() -> None:
    made = flow((1, 4, 4), blocks=1)
    expected = sum(
        parameter.square().sum()
        for name, parameter in made.named_parameters()
        if name.endswith("magnitude") or (name.endswith("bound") and "checkerboard" in name)
    )
    assert torch.allclose(scale_penalty(made), torch.as_tensor(expected))
    scale_penalty(made).backward()
    touched = {name.rpartition(".")[2] for name, p in made.named_parameters() if p.grad is not None}
    assert touched == {"magnitude", "bound"}


def test_recalibration_takes_the_average_and_gives_everything_back() -> None:
    made = flow((1, 8, 8)).train()
    before = {name: value.clone() for name, value in made.state_dict().items()}
    norm = made.scales[0].checkerboard[0].net.norm_in
    batches = [torch.randn(8, 1, 8, 8, dtype=torch.float64) + i for i in range(3)]
    inputs = [batch * made.scales[0].checkerboard[0].mask(batch) for batch in batches]
    with recalibrated(made, batches):
        assert not made.training
        expected = torch.stack([x.mean(dim=(0, 2, 3)) for x in inputs]).mean(0)
        assert torch.allclose(norm.running_mean, expected)
    assert made.training
    assert all(torch.equal(value, before[name]) for name, value in made.state_dict().items())
