"""Group normalisation: its ends, its groups, and what it refuses."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from methods.common.norm.group import GroupNorm, InstanceNorm, LayerNorm, ScatteredGroupNorm
from tests.methods.common.norm.layers import draw

X = draw((4, 6, 3, 5))


def test_by_hand() -> None:
    """Groups (1, 3) and (10, 30): deviations 1 and 10, then a gain and an offset for each channel."""
    layer = GroupNorm(2, 4, eps=0.0).double()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0]))
        layer.bias.copy_(torch.tensor([0.0, 0.0, 5.0, 0.0]))
    y = layer(torch.tensor([[1.0, 3.0, 10.0, 30.0]]).double())
    assert y.flatten().tolist() == pytest.approx([-1, 2, 2, 4])


def test_one_group_is_layer_normalisation_and_one_a_channel_is_instance_normalisation() -> None:
    expected = nn.LayerNorm((6, 3, 5), elementwise_affine=False).double()(X)
    assert (LayerNorm(6).double()(X) - expected).abs().max() < 1e-10
    expected = nn.InstanceNorm2d(6).double()(X)
    assert (InstanceNorm(6).double()(X) - expected).abs().max() < 1e-10


def test_groups_are_neighbours() -> None:
    layer = GroupNorm(2, 6).double()
    within, across = [1, 0, 2, 3, 4, 5], [3, 1, 2, 0, 4, 5]
    assert (layer(X[:, within]) - layer(X)[:, within]).abs().max() < 1e-12
    assert (layer(X[:, across]) - layer(X)[:, across]).abs().max() > 0.1


@pytest.mark.parametrize(("groups", "channels"), [(4, 3), (0, 3), (5, 12)])
def test_channels_must_divide(groups: int, channels: int) -> None:
    with pytest.raises(ValueError, match=f"{channels} channels do not divide into {groups} groups"):
        GroupNorm(groups, channels)


@pytest.mark.parametrize("images", [1, 2])
def test_one_value_a_group_is_refused(images: int) -> None:
    with pytest.raises(ValueError, match=rf"\({images}, 4, 1, 1\) has one value in each of 4 groups"):
        GroupNorm(4, 4)(torch.zeros(images, 4, 1, 1))
    with pytest.raises(ValueError, match=r"has 4 channels, not those of \(2, 6"):
        GroupNorm(2, 4)(torch.zeros(2, 6, 3, 3))


def test_no_values_are_refused_as_torch_does() -> None:
    with pytest.raises(ValueError, match=r"\(2, 8, 0\) has no value in each of 4 groups"):
        GroupNorm(4, 8)(torch.zeros(2, 8, 0))
    with pytest.raises(RuntimeError):
        nn.GroupNorm(4, 8)(torch.zeros(2, 8, 0))
    assert GroupNorm(4, 4)(torch.zeros(0, 4, 1, 1)).shape == nn.GroupNorm(4, 4)(torch.zeros(0, 4, 1, 1)).shape


def test_channels_last_stays() -> None:
    x = X.to(memory_format=torch.channels_last)
    assert GroupNorm(2, 6).double()(x).is_contiguous(memory_format=torch.channels_last)


def test_random_groups_leave_all_else_that_is_drawn_as_it_is() -> None:
    drawn = []
    for kind in (GroupNorm, ScatteredGroupNorm):
        torch.manual_seed(3)
        kind(2, 6)
        drawn.append(torch.rand(3))
    assert torch.equal(*drawn)


def test_scattered_groups_are_those_of_channels_put_in_order() -> None:
    layer, plain = ScatteredGroupNorm(2, 6).double(), GroupNorm(2, 6).double()
    assert not torch.equal(layer.order, torch.arange(6))
    layer.order.copy_(torch.tensor([3, 0, 1, 5, 2, 4]))  # not its own inverse
    with torch.no_grad():
        layer.weight.copy_(draw((6, 1)).flatten())
        plain.weight.copy_(layer.weight[layer.order])
    torch.testing.assert_close(layer(X)[:, layer.order], plain(X[:, layer.order]))
