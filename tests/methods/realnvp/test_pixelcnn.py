"""The models that a flow is compared with: what they may see, that they are distributions, what they draw."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from methods.realnvp.pixelcnn import PixelCNN, Pixelwise

SHAPES = [(1, 4, 5), (3, 3, 4)]


def model(shape: tuple[int, int, int], levels: int = 4) -> PixelCNN:
    torch.manual_seed(0)
    return PixelCNN(shape, levels, 4 * shape[0], 2, 0.0).eval()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_value_is_given_by_those_before_it_alone(shape: tuple[int, int, int]) -> None:
    """In the order row, column, colour: changing a value changes nothing up to and including itself."""
    net, (channels, height, width) = model(shape), shape
    images = torch.randint(4, (1, *shape))
    order = [(c, i, j) for i in range(height) for j in range(width) for c in range(channels)]
    before = net.log_probabilities(images)
    seen = 0
    for position, (c, i, j) in enumerate(order):
        other = images.clone()
        other[0, c, i, j] = (other[0, c, i, j] + 1) % 4
        change = (net.log_probabilities(other) - before).abs().amax((0, 2))
        changed = [bool(change[at] > 0) for at in order]
        assert not any(changed[: position + 1])
        seen += any(changed[position + 1 :])
    assert seen >= len(order) - 1 - channels, "what comes before is seen"


@pytest.mark.parametrize("kind", ["pixelcnn", "pixelwise"])
def test_all_images_together_have_probability_one(kind: str) -> None:
    torch.manual_seed(1)
    net = model((1, 2, 2), 3) if kind == "pixelcnn" else Pixelwise((1, 2, 2), 3)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
        images = torch.tensor(list(product(range(3), repeat=4))).reshape(-1, 1, 2, 2)
        assert net(images).double().exp().sum().item() == pytest.approx(1, abs=1e-5)


def test_a_pixel_by_itself_is_scipys_logistic() -> None:
    net, levels = Pixelwise((1, 1, 2), 17), 17
    with torch.no_grad():
        net.mean.copy_(torch.tensor([[[3.2, 20.0]]]))
        net.log_scale.copy_(torch.tensor([[[0.1, -0.7]]]))
    for v, w in ((0, 16), (3, 0), (16, 15), (8, 8)):
        edges = np.array([-np.inf, *np.arange(levels - 1) + 0.5, np.inf])
        cells = [
            stats.logistic.cdf(edges[value + 1], m, s) - stats.logistic.cdf(edges[value], m, s)
            for value, m, s in ((v, 3.2, np.exp(0.1)), (w, 20.0, np.exp(-0.7)))
        ]
        assert net(torch.tensor([[[[v, w]]]])).item() == pytest.approx(np.log(cells).sum(), rel=1e-4)


@pytest.mark.parametrize("kind", ["pixelcnn", "pixelwise"])
def test_what_is_drawn_has_the_probabilities_that_are_said(kind: str) -> None:
    torch.manual_seed(2)
    net = model((1, 1, 2), 3) if kind == "pixelcnn" else Pixelwise((1, 1, 2), 3)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.4 * torch.randn_like(parameter))
        images = torch.tensor(list(product(range(3), repeat=2))).reshape(-1, 1, 1, 2)
        wanted = net(images).double().exp().numpy()
    drawn, passes = net.sample(20_000, torch.Generator().manual_seed(3))
    assert passes == (2 if kind == "pixelcnn" else 1)
    index: Tensor = drawn[:, 0, 0, 0] * 3 + drawn[:, 0, 0, 1]
    counts = np.bincount(index.numpy(), minlength=9)
    assert stats.chisquare(counts, 20_000 * wanted / wanted.sum()).pvalue > 1e-3


def test_a_width_that_the_colours_do_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match="must be a multiple of 6"):
        PixelCNN((3, 4, 4), 4, 8, 1, 0.0)
