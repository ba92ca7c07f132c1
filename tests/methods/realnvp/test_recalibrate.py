"""Fresh statistics for an evaluation, and everything as before afterwards."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from methods.realnvp.flow_norm import FlowNorm
from methods.realnvp.multiscale import RealNVP
from methods.realnvp.network import ShiftNorm2d
from methods.realnvp.recalibrate import recalibrated
from tests.methods.realnvp.settings import config, normal


def batches() -> list[Tensor]:
    return [3 * normal(8, 1, 8, 8, seed=seed) + 2 for seed in range(4)]


def flow(**changes: Any) -> RealNVP:
    torch.manual_seed(0)
    return RealNVP((1, 8, 8), config(dropout=0.3, **changes)).double().train()


def state(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


class Norms(nn.Module):
    """Both kinds of normalisation, side by side."""

    def __init__(self, lag: float | None) -> None:
        super().__init__()
        self.net, self.flow = ShiftNorm2d(1), FlowNorm(1, lag)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.net(x) + self.flow(x)[0]
        return y


@pytest.mark.parametrize("lag", [None, 0.9])
def test_moments_are_plain_averages_over_the_batches(lag: float | None) -> None:
    module = Norms(lag).double()
    module(normal(4, 1, 8, 8, seed=50))
    shifted = [batch + i for i, batch in enumerate(batches())]
    with recalibrated(module, shifted):
        for norm, unbiased in ((module.net, 1), (module.flow, 0)):
            mean = torch.stack([batch.mean() for batch in shifted]).mean()
            var = torch.stack([batch.var(correction=unbiased) for batch in shifted]).mean()
            assert norm.running_mean.item() == pytest.approx(mean.item())
            assert norm.running_var.item() == pytest.approx(var.item())


@pytest.mark.parametrize("kind", ["batch", "lag"])
def test_everything_is_as_before_afterwards(kind: str) -> None:
    model = flow(flow_bn=kind)
    model.scales[0].eval()
    before, modes = state(model), [m.training for m in model.modules()]
    settings_before = [(m.momentum, m.lag) for m in model.modules() if isinstance(m, FlowNorm)]

    def interrupted() -> None:
        with recalibrated(model, batches()):
            assert not any(module.training for module in model.modules())
            assert any(not torch.equal(value, before[name]) for name, value in state(model).items())
            raise KeyError

    with pytest.raises(KeyError):
        interrupted()
    assert all(torch.equal(value, before[name]) for name, value in state(model).items())
    assert [m.training for m in model.modules()] == modes
    assert [(m.momentum, m.lag) for m in model.modules() if isinstance(m, FlowNorm)] == settings_before


def test_no_batches_no_change() -> None:
    model = flow()
    before = state(model)
    with recalibrated(model, iter(())):
        assert not model.training
        assert all(torch.equal(value, before[name]) for name, value in state(model).items())
    assert model.training


def test_dropout_does_not_blur_the_statistics() -> None:
    model = flow()
    with recalibrated(model, batches()):
        first = state(model)
    with recalibrated(model, batches()):
        assert all(torch.equal(value, first[name]) for name, value in state(model).items())


def test_evaluation_of_a_fresh_flow_agrees_with_its_training() -> None:
    """Moving moments of a fresh flow are far off: the trouble behind exploding evaluations."""
    torch.manual_seed(0)
    model = RealNVP((1, 8, 8), config()).double().train()
    x = 3 * normal(64, 1, 8, 8) + 2
    log_det = model(x)[1].mean().detach()
    stale = model.eval()(x)[1].mean()
    with recalibrated(model, [x]):
        fresh = model(x)[1].mean()
    assert abs(fresh - log_det) < 0.05 * abs(stale - log_det)
