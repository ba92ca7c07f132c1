"""Averaged weights, against torch's own and a closed form."""

from __future__ import annotations

import torch
from torch import nn

from runner.engine.averages import Averages


def test_one_parameter_by_hand() -> None:
    net = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        net.weight.fill_(0.0)
    averages, expected = Averages({"net": net}, 0.5), 0.0
    for step in range(20):
        with torch.no_grad():
            net.weight.fill_(float(step + 1))
        averages.update()
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * (step + 1)
    with averages.applied():
        assert abs(net.weight.item() - expected) < 1e-5
    assert net.weight.item() == 20.0


def test_after_the_start_it_is_torchs_average() -> None:
    torch.manual_seed(0)
    net = nn.Linear(3, 2)
    averages = Averages({"net": net}, 0.9)
    averages.steps = 1000
    reference = torch.optim.swa_utils.AveragedModel(
        net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9)
    )
    reference.update_parameters(net)  # the first call copies
    for _ in range(5):
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.add_(torch.randn_like(parameter))
        averages.update()
        reference.update_parameters(net)
    with averages.applied():
        for ours, theirs in zip(net.parameters(), reference.module.parameters(), strict=True):
            assert torch.allclose(ours, theirs, atol=1e-6)


def test_state_is_restored() -> None:
    net = nn.Linear(2, 2)
    one, two = Averages({"net": net}, 0.9), Averages({"net": net}, 0.9)
    with torch.no_grad():
        net.weight.add_(1)
    one.update()
    two.load_state_dict(one.state_dict())
    assert two.steps == 1
    with one.applied():
        first = net.weight.detach().clone()
    with two.applied():
        assert torch.equal(net.weight, first)
