"""The exact claims as the method checks them; and that a wrong flow would not pass."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import nn

from methods.realnvp import METHODS, checks
from methods.realnvp.coupling import ChannelCoupling, CheckerboardCoupling
from runner.api import Inputs
from tests.methods.realnvp.settings import config

INPUTS = Inputs(SimpleNamespace(shape=(1, 8, 8)), torch.device("cpu"), 0, 16, 0)
EXACT = {
    "log_det": {"check/log_det_error": 1e-8},
    "inverse": {"check/log_det_sum": 1e-8, "check/inverse_error": 1e-8},
    "blind": {"check/conditioner_change": 0.0, "check/coupling_log_det_error": 1e-8},
    "arbitrary_networks": {"check/inverse_error": 1e-4},
}


def found(name: str, **changes: Any) -> dict[str, float]:
    torch.manual_seed(0)
    metrics = getattr(checks, name)(config(**changes), INPUTS)
    return {key: float(value) for key, value in metrics.items()}


def test_every_check_is_listed() -> None:
    assert {reference.partition(":")[2] for reference in METHODS[0].checks.values()} >= set(EXACT)
    assert all(hasattr(checks, name) for name in METHODS[0].checks)


@pytest.mark.parametrize("name", EXACT)
def test_what_is_exact_is_within_rounding(name: str) -> None:
    metrics = found(name)
    assert set(metrics) == set(EXACT[name])
    assert all(metrics[key] <= bound for key, bound in EXACT[name].items())


def test_a_wrong_log_determinant_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    original = ChannelCoupling.forward
    monkeypatch.setattr(
        ChannelCoupling,
        "forward",
        lambda self, x, context=None: (original(self, x)[0], 1.01 * original(self, x)[1]),
    )
    assert found("log_det")["check/log_det_error"] > 1e-4
    assert found("inverse")["check/log_det_sum"] > 1e-4
    assert found("blind")["check/coupling_log_det_error"] > 1e-4


def test_a_network_that_sees_what_is_changed_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def leaky(self: CheckerboardCoupling, x: torch.Tensor, context: Any = None) -> Any:
        mask = self.mask(x)
        return self._encode(x, self.net(x * (mask + 0.01), mask), 1 - mask)

    monkeypatch.setattr(CheckerboardCoupling, "forward", leaky)
    assert found("blind")["check/conditioner_change"] > 0


def test_two_couplings_change_all_or_half() -> None:
    assert found("changed") == {"check/changed_alternate": 1.0, "check/changed_fixed": 0.5}


def test_channels_share_half_of_a_colour() -> None:
    assert found("halves")["check/overlap_channel"] == 0.5
    assert found("halves")["check/overlap_checkerboard"] in (0.0, 1.0)


def test_costs_are_ratios_above_one() -> None:
    metrics = found("factoring_out", n_scale=3)
    assert metrics["check/parameter_ratio"] > 1.2
    assert metrics["check/memory_ratio"] > 1.1
    assert found("sampling_time")["check/inverse_ratio"] > 0


def test_saved_bytes_are_those_of_the_tensors_that_wait() -> None:
    class Square(nn.Module):
        def forward(self, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            z = y.exp().exp()  # each saves its result, 400 bytes
            return z, z.new_zeros(len(y))

    y = torch.randn(10, 10, requires_grad=True)
    # 800 bytes, and the square in `step` saves z, which is one of them.
    assert checks.saved_bytes(cast(nn.Module, Square()), y) == 800
