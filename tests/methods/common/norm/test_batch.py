"""Batch normalisation in numbers by hand, and what the paper says of it."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from methods.common.norm.batch import BatchNorm1d, BatchNorm2d, BatchNorm3d, BatchRenorm
from methods.common.norm.group import GroupNorm
from methods.common.norm.recalibrate import batch_moments, recalibrated
from tests.methods.common.norm.layers import draw


def test_two_values_by_hand() -> None:
    """Half their difference d gives d / sqrt(d^2 + eps): the deviation divides, not the variance."""
    layer = BatchNorm1d(2, affine=False).double()
    y = layer(torch.tensor([[1.000, 5.0], [1.001, 9.0]]).double())
    assert y[:, 0].tolist() == pytest.approx([-0.1562, 0.1562], abs=5e-5)
    assert y[:, 1].tolist() == pytest.approx([-2 / math.sqrt(4 + 1e-5), 2 / math.sqrt(4 + 1e-5)])


def test_running_moments_by_hand() -> None:
    layer = BatchNorm1d(1)
    layer(torch.tensor([[1.0], [3.0]]))
    assert layer.running_mean.item() == pytest.approx(0.2)
    assert layer.running_var.item() == pytest.approx(0.9 + 0.1 * 2)
    assert layer.num_batches_tracked.item() == 1


@pytest.mark.parametrize("a", [0.1, 10.0])
def test_the_scale_of_weights_does_not_matter(a: float) -> None:
    """Section 3.3: BN(aWu) = BN(Wu), and the gradient by aW is 1/a of that by W."""
    layer, u = BatchNorm1d(3, eps=0.0).double(), draw((20, 4))
    weights = draw((20, 3), 5)
    found = []
    for scale in (1.0, a):
        w = (scale * draw((3, 4), 2)).requires_grad_()
        y = layer(u @ w.T)
        found.append((y, *torch.autograd.grad((y * weights).sum(), w)))
    (y, gradient), (scaled, other) = found
    torch.testing.assert_close(scaled, y)
    torch.testing.assert_close(other, gradient / a)


def test_a_bias_before_it_does_nothing() -> None:
    layer, bias = BatchNorm1d(3).double(), torch.ones(3).double().requires_grad_()
    x = draw((20, 3))
    y = layer(x + 7 * bias)
    torch.testing.assert_close(y, layer(x))
    (gradient,) = torch.autograd.grad((y * draw((20, 3), 3)).sum(), bias)
    assert gradient.abs().max() < 1e-12


def test_one_image_is_instance_normalisation() -> None:
    x = draw((1, 3, 2, 2))
    expected = nn.InstanceNorm2d(3).double()(x)
    assert (BatchNorm2d(3).double()(x) - expected).abs().max() < 1e-10


def test_evaluation_takes_each_image_by_itself() -> None:
    layer = BatchNorm2d(3).double()
    for seed in range(5):
        layer(draw((4, 3, 2, 2), seed))
    before = layer.running_mean.clone()
    x, other = draw((1, 3, 2, 2), 8), draw((1, 3, 2, 2), 9)
    assert not torch.equal(layer(torch.cat((x, other)))[0], layer(torch.cat((x, -other)))[0])
    layer.running_mean.copy_(before)
    layer.eval()
    assert torch.equal(layer(torch.cat((x, other)))[0], layer(torch.cat((x, -other)))[0])
    assert torch.equal(layer.running_mean, before)


@pytest.mark.parametrize(
    "layer", [BatchNorm1d(4), BatchNorm2d(4), BatchNorm3d(4)], ids=lambda x: type(x).__name__
)
def test_wrong_shapes_are_refused_with_the_shape(layer: nn.Module) -> None:
    with pytest.raises(ValueError, match=r"dimensions, not \(2, 4, 3, 3, 3, 3\)"):
        layer(torch.zeros(2, 4, 3, 3, 3, 3))
    shape = (2, 5, *[3] * (layer.ndims[0] - 2))
    with pytest.raises(ValueError, match=r"has 4 channels, not those of \(2, 5"):
        layer(torch.zeros(shape))


class TestRenorm:
    """Batch renormalisation (Ioffe, 2017)."""

    @pytest.mark.parametrize(("spread", "r"), [(0.1, 1 / 3), (0.5, 0.5), (2.0, 2.0), (9.0, 3.0)])
    def test_the_ratio_of_deviations_is_bounded_on_both_sides(self, spread: float, r: float) -> None:
        layer = BatchRenorm(1, eps=0.0, r_max=3.0, d_max=0.0).double()
        y = layer(torch.tensor([[-spread], [spread]], dtype=torch.float64))
        assert y.flatten().tolist() == pytest.approx([-r, r])

    def test_what_is_measured_does_not_depend_on_what_was_measured_before(self) -> None:
        layer = BatchRenorm(3).double()
        layer(draw((20, 3)))
        first, second = 5 + draw((20, 3), 1), draw((20, 3), 2)
        with batch_moments(layer):
            alone = layer(second)
        with batch_moments(layer):
            layer(first)
            after = layer(second)
        assert torch.equal(alone, after)
        assert layer.momentum == 0.1

    def test_by_hand(self) -> None:
        """Batch (1, 3) has mean 2 and deviation 1; the running ones are 1.8 and 0.5: r = 2, d = 0.4."""
        layer = BatchRenorm(1, eps=0.0, r_max=3.0, d_max=1.0).double()
        layer.running_mean.fill_(1.8)
        layer.running_var.fill_(0.25)
        y = layer(torch.tensor([[1.0], [3.0]]).double())
        assert y.flatten().tolist() == pytest.approx([-2 + 0.4, 2 + 0.4])

    def test_the_bounds(self) -> None:
        layer = BatchRenorm(1, eps=0.0).double()
        layer.running_mean.fill_(0.0)
        layer.running_var.fill_(0.01)
        y = layer(torch.tensor([[1.0], [3.0]]).double())
        assert y.flatten().tolist() == pytest.approx([-1.5 + 0.5, 1.5 + 0.5])

    def test_bounds_of_one_and_nothing_are_batch_normalisation(self) -> None:
        x = draw((8, 4, 3, 3))
        renorm, plain = BatchRenorm(4, r_max=1.0, d_max=0.0).double(), BatchNorm2d(4).double()
        assert torch.equal(renorm(x), plain(x))
        assert torch.equal(renorm.running_var, plain.running_var)

    def test_no_gradient_flows_through_the_corrections(self) -> None:
        """By the input it is r times that of batch normalisation."""
        layer, plain = (
            BatchRenorm(1, eps=0.0, r_max=9.0, d_max=9.0).double(),
            BatchNorm1d(1, eps=0.0).double(),
        )
        layer.running_var.fill_(0.25)
        x = torch.tensor([[1.0], [3.0], [4.5]]).double().requires_grad_()
        weights = torch.tensor([[1.0], [-2.0], [0.3]]).double()
        r = x.detach().var(correction=0).sqrt() / 0.5
        (found,) = torch.autograd.grad((layer(x) * weights).sum(), x)
        (expected,) = torch.autograd.grad((plain(x) * weights).sum(), x)
        torch.testing.assert_close(found, r * expected)

    def test_training_is_evaluation_where_the_bounds_are_wide(self) -> None:
        layer = BatchRenorm(3, r_max=1e9, d_max=1e9, momentum=0.0).double()
        x = draw((8, 3, 2, 2))
        torch.testing.assert_close(layer(x), layer.eval()(x))


class Two(nn.Module):
    """Two layers, so that the second one's moments depend on the first one's mode."""

    def __init__(self, kind: type[nn.Module]) -> None:
        super().__init__()
        self.first, self.second = kind(3), kind(3)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.second(self.first(x).relu())
        return y


@pytest.mark.parametrize("kind", [BatchNorm2d, nn.BatchNorm2d])
def test_recalibrating_averages_means_and_unbiased_variances(kind: type[nn.Module]) -> None:
    model = Two(kind).double().train()
    model(draw((4, 3, 2, 2), 50))
    old = {name: value.clone() for name, value in model.state_dict().items()}
    batches = [draw((4, 3, 2, 2), seed) for seed in range(5)]
    with recalibrated(model, batches):
        assert not any(module.training for module in model.modules())
        means = torch.stack([x.mean((0, 2, 3)) for x in batches]).mean(0)
        variances = torch.stack([x.var((0, 2, 3)) for x in batches]).mean(0)
        torch.testing.assert_close(model.first.running_mean, means)
        torch.testing.assert_close(model.first.running_var, variances)
    assert model.training
    assert model.first.momentum == 0.1
    assert all(torch.equal(value, old[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("training", [True, False])
def test_without_running_moments_evaluation_uses_the_batchs(training: bool) -> None:
    x = draw((4, 6, 3, 5))
    ours, theirs = (
        kind(6, track_running_stats=False).double().train(training) for kind in (BatchNorm2d, nn.BatchNorm2d)
    )
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    assert (ours(x) - theirs(x)).abs().max() < 1e-10
    with recalibrated(ours, [x]):
        pass
    if not training:
        with pytest.raises(ValueError, match="one value a channel"):
            BatchNorm1d(6, track_running_stats=False).eval()(torch.zeros(1, 6))


@pytest.mark.parametrize("layer", [BatchNorm2d(6), GroupNorm(2, 6)])
def test_numbers_of_another_type_are_refused_as_torch_does(layer: nn.Module) -> None:
    x = draw((4, 6, 3, 5))
    theirs = nn.BatchNorm2d(6) if isinstance(layer, BatchNorm2d) else nn.GroupNorm(2, 6)
    for own, given in ((torch.float64, torch.float32), (torch.float32, torch.float64)):
        with pytest.raises(ValueError, match=f"{given} cannot go into a layer of {own}"):
            layer.to(own)(x.to(given))
        with pytest.raises(RuntimeError):
            theirs.to(own)(x.to(given))
    assert layer.float()(x.bfloat16()).dtype == torch.bfloat16
    assert layer.bfloat16()(x.bfloat16()).dtype == torch.bfloat16


def test_bounds_of_renormalisation_are_checked() -> None:
    for bad in ({"r_max": 0.9}, {"d_max": -0.1}):
        with pytest.raises(ValueError, match="r_max must be at least 1"):
            BatchRenorm(3, **bad)


@pytest.mark.parametrize("of_batches", [True, False])
def test_dropout_is_off_whatever_moments_are_used(of_batches: bool) -> None:
    model = nn.Sequential(BatchNorm1d(6), nn.Dropout(0.5)).double().train()
    x = draw((8, 6))
    with batch_moments(model) if of_batches else recalibrated(model, [x]):
        assert (model(x) != 0).all()
        assert model[0].training == of_batches
    assert model[1].training
