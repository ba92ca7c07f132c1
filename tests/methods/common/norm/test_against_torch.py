"""Every layer is torch.nn's: values, gradients, second gradients, buffers and state."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from tests.methods.common.norm.layers import BATCHES, GROUPS, LAYOUTS, PAIRS, Pair, draw

pairs = pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
batches = pytest.mark.parametrize("pair", BATCHES, ids=lambda pair: pair.name)
layouts = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())


def gradients(layer: nn.Module, x: Tensor, weights: Tensor) -> list[Tensor]:
    """Output, then the gradients of a weighted sum of it by the input and all parameters."""
    leaf = x.detach().requires_grad_()
    y = layer(leaf)
    return [y, *torch.autograd.grad((y * weights).sum(), [leaf, *layer.parameters()])]


@pairs
@layouts
@pytest.mark.parametrize("training", [True, False])
def test_values_gradients_and_buffers(pair: Pair, layout: Callable[[Tensor], Tensor], training: bool) -> None:
    ours, torchs = (layer.train(training) for layer in pair.made())
    for seed in range(3):
        x, weights = layout(draw(pair.shape, seed)), draw(pair.shape, seed + 10)
        for a, b in zip(gradients(ours, x, weights), gradients(torchs, x, weights), strict=True):
            assert (a - b).abs().max() <= 1e-10
        for name, buffer in torchs.named_buffers():
            assert (ours.get_buffer(name) - buffer).abs().max() <= 1e-10


@pairs
def test_single_precision(pair: Pair) -> None:
    ours, torchs = pair.made(torch.float32)
    x = draw(pair.shape, dtype=torch.float32)
    assert (ours(x) - torchs(x)).abs().max() <= 1e-5


@pairs
@pytest.mark.parametrize("training", [True, False])
def test_gradients_by_finite_differences_twice(pair: Pair, training: bool) -> None:
    layer = pair.made()[0].train(training)
    small = (2, 6) if len(pair.shape) == 2 else (2, 6, *[2] * (len(pair.shape) - 2))
    x = draw(small).requires_grad_()
    assert torch.autograd.gradcheck(layer, x)
    assert torch.autograd.gradgradcheck(layer, x)


@pairs
def test_states_are_exchanged_both_ways(pair: Pair) -> None:
    ours, torchs = pair.made()
    for seed in range(4):
        torchs(draw(pair.shape, seed))
    ours.load_state_dict(torchs.state_dict())
    x = draw(pair.shape, 9)
    assert (ours.eval()(x) - torchs.eval()(x)).abs().max() <= 1e-10
    fresh = pair.torchs().double().eval()
    fresh.load_state_dict(ours.state_dict())
    assert torch.equal(fresh(x), torchs(x))


@pairs
def test_a_batch_without_images(pair: Pair) -> None:
    ours, torchs = pair.made()
    before = {name: buffer.clone() for name, buffer in ours.named_buffers()}
    assert ours(torch.zeros(0, *pair.shape[1:]).double()).shape == (0, *pair.shape[1:])
    if pair in BATCHES:
        torchs(torch.zeros(0, *pair.shape[1:]).double())
        assert all(torch.equal(ours.get_buffer(n), b) for n, b in torchs.named_buffers())
        assert torch.equal(ours.running_var, before["running_var"])


@batches
def test_one_value_a_channel_is_refused_as_torch_does(pair: Pair) -> None:
    shape = (1, 6, *[1] * (len(pair.shape) - 2))
    for layer in pair.made():
        with pytest.raises(ValueError, match=r"1, 6"):
            layer(draw(shape))
        layer.eval()(draw(shape))


@pytest.mark.parametrize("pair", GROUPS, ids=lambda pair: pair.name)
def test_other_images_do_not_matter(pair: Pair) -> None:
    layer, x = pair.made()[0], draw(pair.shape)
    alone = torch.cat([layer(x[i : i + 1]) for i in range(len(x))])
    assert (layer(x) - alone).abs().max() <= 1e-6
    assert torch.equal(layer.train()(x), layer.eval()(x))
