"""Why the flows of Table 1 have other numbers of parameters than a public implementation, exactly."""

from __future__ import annotations

import pytest
import torch

from methods.realnvp.multiscale import RealNVP
from tests.methods.realnvp.settings import config

# sides in pixels, scales, blocks, width; millions of parameters counted from github.com/chrischute/real-nvp
ROWS = [(32, 2, 8, 64, 19.6), (32, 4, 4, 32, 46.2), (64, 5, 2, 32, 96.4)]


def couplings(n_scale: int, width: int) -> list[tuple[int, int, bool]]:
    """Changed channels, width and whether on a checkerboard, of every coupling of a flow on colour images."""
    found = []
    for i in range(n_scale):
        last = i == n_scale - 1
        found += [(3 * 2**i, width * 2**i, True)] * (4 if last else 3)
        found += [(6 * 2**i, width * 2 ** (i + 1), False)] * (0 if last else 3)
    return found


def public(c: int, w: int, blocks: int) -> int:
    """Parameters of one coupling there.

    Every convolution has a direction, a magnitude and, but for the first of a block, a bias; batch
    normalisation has gain and offset; the bound of the scale is itself weight-normalised.
    """
    block = 2 * w + (9 * w * w + w) + 2 * w + (9 * w * w + 2 * w)
    skip = w * w + 2 * w
    return 2 * c + (18 * c * w + 2 * w) + skip + blocks * (block + skip) + 2 * w + (2 * c * w + 4 * c) + 2 * c


def difference(c: int, w: int, blocks: int, checkerboard: bool) -> int:
    """What ours, which follows the authors' code, has less."""
    gains = c + 2 * w * blocks + w  # of batch normalisation: the next convolution's scale does their work
    magnitudes = w + w * blocks  # of the first convolution and of each block's first: fixed at 1
    bound = c  # of the scale: one number for a channel, not two
    mask = 9 * w if checkerboard else 0  # an input channel that the public implementation does not have
    return gains + magnitudes + bound - mask


@pytest.mark.parametrize(("side", "n_scale", "blocks", "width", "millions"), ROWS)
def test_ours_differ_from_the_public_ones_by_what_is_known(
    side: int, n_scale: int, blocks: int, width: int, millions: float
) -> None:
    every = couplings(n_scale, width)
    total = sum(public(c, w, blocks) for c, w, _ in every)
    assert total / 1e6 == pytest.approx(millions, abs=0.05)
    with torch.device("meta"):
        made = RealNVP((3, side, side), config(n_scale=n_scale, blocks=blocks, width=width))
    less = sum(difference(c, w, blocks, checkerboard) for c, w, checkerboard in every)
    assert sum(p.numel() for p in made.parameters()) == total - less
