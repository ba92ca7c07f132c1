"""The choice by name."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from methods.common.norm.make import Norm, groups_for

KINDS = ("none", "batch", "group", "layer", "instance", "renorm")


@pytest.mark.parametrize(
    ("channels", "groups"), [(16, 8), (32, 16), (64, 32), (256, 32), (48, 24), (1, 1), (6, 3), (7, 1)]
)
def test_groups_of_narrow_layers(channels: int, groups: int) -> None:
    assert groups_for(channels) == groups
    assert channels % groups_for(channels) == 0


@pytest.mark.parametrize(("channels", "groups"), [(100, 4), (256, 32), (12, 1), (16, 2), (7, 1)])
def test_groups_of_single_values_are_larger(channels: int, groups: int) -> None:
    assert groups_for(channels, dims=1) == groups
    assert Norm("group", dims=1)(channels).num_groups == groups


@pytest.mark.parametrize("kind", KINDS)
def test_ours_and_torchs_agree(kind: str) -> None:
    x = torch.randn(4, 16, 3, 3)
    ours, fused = Norm(kind, impl="reference")(16), Norm(kind, impl="fused")(16)  # type: ignore[arg-type]
    fused.load_state_dict(ours.state_dict())
    torch.testing.assert_close(ours(x), fused(x))
    if kind not in ("none", "renorm"):
        assert type(fused).__module__.startswith("torch.nn")
        assert not type(ours).__module__.startswith("torch.nn")


def test_dimensions_and_settings_reach_the_layer() -> None:
    for dims, kind in ((1, nn.BatchNorm1d), (2, nn.BatchNorm2d), (3, nn.BatchNorm3d)):
        layer = Norm("batch", momentum=0.3, dims=dims, eps=1e-3)(4)
        assert isinstance(layer, kind)
        assert (layer.momentum, layer.eps) == (0.3, 1e-3)
    assert Norm("group", groups=2)(8).num_groups == 2
    for implementation in ("reference", "fused"):
        with pytest.raises(ValueError, match=r"method\.groups=3 does not divide the 8 channels"):
            Norm("group", groups=3, impl=implementation)(8)  # type: ignore[arg-type]


def test_what_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="no normalisation 'bn', only none, batch"):
        Norm("bn")  # type: ignore[arg-type]
    for groups in (0, -2):
        with pytest.raises(ValueError, match=f"1 or more, not {groups}"):
            Norm("group", groups=groups)
