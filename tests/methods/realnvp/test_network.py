"""The s/t network and its parts against torch's own layers."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from methods.realnvp.network import ResidualNet, ShiftNorm2d
from methods.realnvp.weight_norm import WeightNormConv2d, pointwise
from tests.methods.realnvp.settings import normal, randomised


@pytest.mark.parametrize("kernel", [1, 3])
def test_weight_norm_is_that_of_torch_in_value_and_gradient(kernel: int) -> None:
    ours = WeightNormConv2d(3, 5, kernel, scale=True).double()
    theirs = weight_norm(nn.Conv2d(3, 5, kernel, padding=kernel // 2)).double()
    with torch.no_grad():
        ours.magnitude.uniform_(0.5, 2)
        theirs.parametrizations.weight.original0.copy_(ours.magnitude)
        theirs.parametrizations.weight.original1.copy_(ours.direction)
        theirs.bias.copy_(ours.bias)
    x = normal(2, 3, 4, 6)
    (ours(x) ** 2).sum().backward()
    (theirs(x) ** 2).sum().backward()
    torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(ours.magnitude.grad, theirs.parametrizations.weight.original0.grad)
    torch.testing.assert_close(ours.direction.grad, theirs.parametrizations.weight.original1.grad)


def test_filters_without_a_learned_scale_have_norm_one_and_no_other_parameters() -> None:
    conv = WeightNormConv2d(3, 5, 3, bias=False)
    torch.testing.assert_close(conv.weight().flatten(1).norm(dim=1), torch.ones(5))
    assert [name for name, _ in conv.named_parameters()] == ["direction"]
    assert "magnitude" not in conv.state_dict()


@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
def test_pointwise_is_a_convolution(memory: torch.memory_format) -> None:
    x, weight, bias = normal(2, 3, 4, 6).contiguous(memory_format=memory), normal(5, 3, 1, 1), normal(5)
    torch.testing.assert_close(pointwise(x, weight, bias), F.conv2d(x, weight, bias))


def test_shift_norm_is_batch_norm_without_gain() -> None:
    ours, theirs = ShiftNorm2d(3).double(), nn.BatchNorm2d(3, eps=1e-4, momentum=0.1).double()
    with torch.no_grad():
        theirs.bias.copy_(ours.bias.uniform_())
    for seed in range(3):
        torch.testing.assert_close(ours(normal(4, 3, 2, 2, seed=seed)), theirs(normal(4, 3, 2, 2, seed=seed)))
    ours.eval(), theirs.eval()
    torch.testing.assert_close(ours(normal(4, 3, 2, 2)), theirs(normal(4, 3, 2, 2)))
    assert [name for name, _ in ours.named_parameters()] == ["bias"]


@pytest.mark.parametrize("blocks", [1, 2])
def test_small_batches_and_large_ones_give_the_same(blocks: int) -> None:
    """The last skip is folded into the last block for large batches only."""
    net = randomised(ResidualNet(2, 3, 6, blocks))
    x = normal(40, 2, 4, 4)
    assert x[:1].numel() // 2 < 9 * 6 < x.numel() // 2
    one_by_one = torch.cat([net(image[None]) for image in x])
    torch.testing.assert_close(net(x), one_by_one)


def test_the_folded_skip_has_the_gradients_of_the_unfolded_one() -> None:
    """Ten images together against ten times one image."""
    net = randomised(ResidualNet(2, 3, 6, 2))
    x = normal(10, 2, 4, 4)
    gradients = []
    for parts in (x.split(10), x.split(1)):
        net.zero_grad()
        sum((net(part) ** 2).sum() for part in parts).backward()
        gradients.append({name: p.grad.clone() for name, p in net.named_parameters()})
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name])


def test_dropout_acts_in_training_only() -> None:
    torch.manual_seed(0)
    net = randomised(ResidualNet(2, 2, 6, 2, norm="none", dropout=0.5))
    x = normal(2, 2, 4, 4)
    assert torch.equal(net(x), net(x))
    net.train()
    assert not torch.equal(net(x), net(x))


def test_an_input_is_never_overwritten() -> None:
    for norm in ("batch", "none"):
        net, x = randomised(ResidualNet(2, 2, 6, 2, norm=norm)), normal(2, 2, 4, 4)
        net(x)
        assert torch.equal(x, normal(2, 2, 4, 4))


def test_no_normalisation_leaves_no_moments() -> None:
    assert [*ResidualNet(2, 2, 6, 2, norm="none").state_dict()] == [
        name for name in ResidualNet(2, 2, 6, 2, norm="none").state_dict() if "running" not in name
    ]
    assert ResidualNet(2, 2, 6, 2, norm="none").blocks[0].conv_in.bias is not None
    assert ResidualNet(2, 2, 6, 2).blocks[0].conv_in.bias is None
