"""Networks against torchvision's and against published sizes; nothing large is ever filled."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torchvision
from torch import nn

from methods.common.classify.build import network
from methods.common.classify.cnn import SmallCNN
from methods.common.classify.inception import InceptionNet
from methods.common.classify.mlp import MLP
from methods.common.classify.resnet import Block, ResNet
from methods.common.classify.vgg import VGG16
from methods.common.norm.make import Norm
from tests.methods.common.classify.settings import config


def count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def empty(kind: Any, *given: Any, **more: Any) -> nn.Module:
    with torch.device("meta"):
        made: nn.Module = kind(*given, **more)
    return made


@pytest.mark.parametrize(
    ("depth", "width", "channels", "classes", "parameters"),
    [
        (50, 64, 3, 1000, 25_557_032),  # 25.6 million
        (101, 64, 3, 1000, 44_549_160),  # 44.5 million
        (110, 16, 3, 10, 1_730_714),  # 1.7 million (He et al., table 6)
        (20, 16, 3, 10, 272_474),  # 0.27 million
        (8, 16, 3, 10, 78_042),
        (14, 16, 3, 10, 175_258),
    ],
)
def test_residual_networks_have_the_published_size(
    depth: int, width: int, channels: int, classes: int, parameters: int
) -> None:
    assert count(empty(ResNet, channels, classes, depth, width, Norm())) == parameters


@pytest.mark.parametrize("norm", ["none", "batch", "group"])
def test_the_small_network_has_a_hundred_thousand_numbers_or_fewer(norm: Any) -> None:
    made = SmallCNN((1, 28, 28), 10, Norm(norm, 4 if norm == "group" else None))
    norms = 0 if norm == "none" else 2 * (16 + 32) - (16 + 32)  # gains and offsets, less offsets before them
    assert count(made) == (25 * 16 + 16) + (16 * 25 * 32 + 32) + (32 * 49 + 1) * 54 + 55 * 10 + norms
    assert made(torch.randn(3, 1, 28, 28)).shape == (3, 10)
    assert SmallCNN((3, 9, 6), 4, Norm(norm, 4 if norm == "group" else None))(
        torch.randn(2, 3, 9, 6)
    ).shape == (2, 4)


def test_vgg_and_inception() -> None:
    """VGG-16 has 138 million. The layers of the paper's figure 5 come to 11.3, not to the text's 13.6."""
    assert count(empty(VGG16, 3, 1000, Norm("none"))) == 138_357_544
    inception = empty(InceptionNet, 3, 1000, Norm(), nn.ReLU)
    assert count(inception) == 11_285_224
    assert inception(torch.zeros(2, 3, 224, 224, device="meta")).shape == (2, 1000)


def test_resnet_50_is_torchvisions() -> None:
    """The same weights, handed over in order, give the same output."""
    ours, theirs = ResNet(3, 10, 50, 64, Norm(), zero=False), torchvision.models.resnet50(num_classes=10)
    order = [name for name in theirs.state_dict() if "downsample" not in name]
    assert len(order) < len(theirs.state_dict())
    own = [name for name in ours.state_dict() if "shortcut" not in name]
    shortcuts = [name for name in ours.state_dict() if "shortcut" in name]
    downsamples = [name for name in theirs.state_dict() if "downsample" in name]
    pairs = dict(zip(own + shortcuts, order + downsamples, strict=True))
    ours.load_state_dict({mine: theirs.state_dict()[name] for mine, name in pairs.items()})
    x = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))


def test_vgg_16_is_torchvisions_without_the_offsets_that_norms_take_away() -> None:
    ours, theirs = VGG16(3, 10, Norm(), units=8), torchvision.models.vgg16_bn(num_classes=10)
    state = [v for n, v in theirs.features.state_dict().items()]
    convolutions = [m for m in theirs.features if isinstance(m, nn.Conv2d)]
    with torch.no_grad():
        for convolution in convolutions:
            convolution.bias.zero_()
    offsets = {id(m.bias) for m in convolutions}
    state = [v for v in theirs.features.state_dict(keep_vars=True).values() if id(v) not in offsets]
    ours.features.load_state_dict(dict(zip(ours.features.state_dict(), state, strict=True)))
    x = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(ours.eval().features(x), theirs.eval().features(x))


@pytest.mark.parametrize("norm", ["batch", "group", "layer", "instance", "renorm"])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_block_begins_as_its_shortcut(norm: Any, stride: int) -> None:
    block = Block((8, 8, 8 * stride), (3, 3), Norm(norm, momentum=0.0), stride, zero=True).train()
    x = torch.randn(4, 8, 6, 6)
    torch.testing.assert_close(block(x), block.shortcut(x).relu())
    weights = [w for m in block.modules() if isinstance(w := getattr(m, "weight", None), torch.Tensor)]
    gains = [bool((weight != 0).all()) for weight in weights if weight.ndim == 1]
    assert gains[:2] == [True, False], "the last gain of the two on the way is 0, so that the first can learn"
    assert not torch.allclose(Block((8, 8, 8), (3, 3), Norm(norm), 1, zero=False)(x), x.relu())


def test_offsets_are_left_out_where_they_would_do_nothing() -> None:
    def offsets(norm: Any) -> list[bool]:
        model = MLP(9, (8, 8), 3, Norm(norm, dims=1), nn.ReLU)
        return [m.bias is not None for m in model.modules() if isinstance(m, nn.Linear)]

    assert offsets("batch") == [False, False, True]
    assert offsets("none") == offsets("group") == offsets("layer") == [True, True, True]


def test_the_mlp_by_hand() -> None:
    model = MLP(2, (2,), 1, Norm("none", dims=1), nn.Sigmoid)
    with torch.no_grad():
        model.layers[1].weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 0.0]]))
        model.layers[1].bias.zero_()
        model.head.weight.copy_(torch.tensor([[2.0, 4.0]]))
        model.head.bias.fill_(1.0)
    x = torch.tensor([1.0, 5.0]).view(1, 1, 1, 2)
    expected = 1 + 2 * torch.tensor(1.0).sigmoid() + 4 * 0.5
    assert model(x).item() == pytest.approx(expected.item())


@pytest.mark.parametrize("depth", [9, 12, 51])
def test_depths_that_there_are_not(depth: int) -> None:
    with pytest.raises(ValueError, match=f"no ResNet of method.depth={depth}: .* nearest, and 50 and 101"):
        network(config(network="resnet", depth=depth), (3, 32, 32), 10)


def test_initial_weights() -> None:
    made = network(config(hidden=(400, 300), init="gaussian", init_std=0.3), (1, 20, 20), 10)
    assert made.layers[1].weight.std().item() == pytest.approx(0.3, rel=0.02)
    made = network(config(hidden=(400, 300)), (1, 20, 20), 10)
    assert made.layers[4].weight.std().item() == pytest.approx((2 / 400) ** 0.5, rel=0.02)
    assert made.head.weight.std().item() == pytest.approx(0.01, rel=0.1)
    made = network(config(network="resnet", width=32, norm="none"), (3, 8, 8), 10)
    kernel = made.stages[0][0].residual[0].weight
    assert kernel.std().item() == pytest.approx((2 / (32 * 9)) ** 0.5, rel=0.05)
    wider = made.stages[1][0].residual[0].weight  # from 32 channels to 64: by the latter
    assert wider.std().item() == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.05)
    assert made.stages[0][0].residual[0].bias.abs().max() == 0
