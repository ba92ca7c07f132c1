"""The four blocks against the paper's order of layers, and accuracy's interval."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from methods.common.fewshot.conv4 import Conv4


def written_down(conv4: Conv4) -> nn.Sequential:
    """The same layers in the paper's order: the ReLU before the maximum."""
    blocks = [nn.Sequential(block[0], block[1], nn.ReLU(), nn.MaxPool2d(2)) for block in list(conv4)[:-1]]
    return nn.Sequential(*blocks, nn.Flatten())


@pytest.mark.parametrize("training", [True, False])
def test_the_order_of_relu_and_maximum_changes_nothing(training: bool) -> None:
    """Values and gradients, to the last bit."""
    torch.manual_seed(0)
    conv4 = Conv4((1, 28, 28), 5).train(training)
    found = []
    for net in (conv4, written_down(conv4)):
        x = torch.randn(6, 1, 28, 28, generator=torch.Generator().manual_seed(1), requires_grad=True)
        y = net(x)
        weights = torch.randn(y.shape, generator=torch.Generator().manual_seed(2))
        found.append((y, *torch.autograd.grad((y * weights).sum(), [x, *net.parameters()])))
    for ours, theirs in zip(*found, strict=True):
        assert torch.equal(ours, theirs)
    assert found[0][0].shape == (6, conv4.width)


def test_what_is_no_image_or_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match="these are vectors of 7 numbers"):
        Conv4((7,))
    with pytest.raises(ValueError, match="halves images of 15x28 too often; 3 is the most"):
        Conv4((1, 15, 28))
