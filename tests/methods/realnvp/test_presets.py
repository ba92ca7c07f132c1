"""The rows of Table 1 as presets: settings, and parameters counted on the meta device."""

from __future__ import annotations

import pytest
import torch
import yaml

from methods.realnvp.multiscale import RealNVP
from tests.methods.realnvp.settings import CONF, config

# section 4.1 and Table 1: scales, blocks, feature maps, flips; bits per dimension
TABLE = {
    "cifar10": ((3, 32, 32), 2, 8, 64, True, "3.49"),
    "imagenet32": ((3, 32, 32), 4, 4, 32, False, "4.28"),
    "imagenet64": ((3, 64, 64), 5, 2, 32, False, "3.98"),
    "lsun_bedroom": ((3, 64, 64), 5, 2, 32, True, "2.72"),
    "lsun_tower": ((3, 64, 64), 5, 2, 32, True, "2.81"),
    "lsun_church": ((3, 64, 64), 5, 2, 32, True, "3.08"),
    "celeba": ((3, 64, 64), 5, 2, 32, True, "3.02"),
}


def net(channels: int, out: int, width: int, blocks: int, masked: bool) -> int:
    """Numbers in one s/t network, counted from the paper's description (section 5 of the authors' code)."""
    norm_in = channels
    conv_in = (2 * channels + masked) * width * 9 + width
    skip = width * width + 2 * width
    block = 2 * width * width * 9 + 2 * width + 2 * width
    return norm_in + conv_in + skip + blocks * (block + skip) + width + width * out + 2 * out


def count(shape: tuple[int, int, int], n_scale: int, blocks: int, width: int) -> int:
    """Numbers in the whole flow: 3 checkerboard and 3 channel couplings per scale, 4 checkerboards at the
    end."""
    total = 0
    for i in range(n_scale):
        channels, maps, last = shape[0] * 2**i, width * 2**i, i == n_scale - 1
        total += (4 if last else 3) * (net(channels, 2 * channels, maps, blocks, True) + channels)
        if not last:
            total += 3 * (net(2 * channels, 4 * channels, 2 * maps, blocks, False) + 2 * channels)
    return total


# chrischute/real-nvp, measured in millions: 19.6, 46.2 and 96.4
PUBLIC = {"cifar10": 19.6, "imagenet32": 46.2, "imagenet64": 96.4}


@pytest.mark.parametrize("name", TABLE)
def test_a_row_of_table_1(name: str) -> None:
    shape, n_scale, blocks, width, flip, number = TABLE[name]
    text = (CONF / "preset" / "realnvp" / f"{name}.yaml").read_text()
    preset = yaml.safe_load(text)
    assert number in text.split("\nmethod:")[0]
    assert f"run method=realnvp dataset={name}" in text
    assert preset["dataset"] == {"batch_size": 64, "flip": flip}
    settings = config(**{"n_scale": 2, **preset["method"]})
    assert (settings.n_scale, settings.blocks, settings.width) == (n_scale, blocks, width)
    assert (settings.lr, settings.betas, settings.eps, settings.l2) == (1e-3, (0.9, 0.999), 1e-8, 5e-5)
    with torch.device("meta"):
        made = RealNVP(shape, settings)
    parameters = sum(p.numel() for p in made.parameters())
    assert parameters == count(shape, n_scale, blocks, width)
    if name in PUBLIC:
        # The public code learns every weight-norm magnitude, has gains in its batch norms and no mask
        # channel: differences of single rows of filters, below 2 % of all.
        assert parameters / 1e6 == pytest.approx(PUBLIC[name], rel=0.02)
