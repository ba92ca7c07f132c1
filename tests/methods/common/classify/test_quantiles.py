"""The drift of distributions, on networks whose drift is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from methods.common.classify.quantiles import Quantiles
from tests.methods.common.classify.settings import built, train


def moved(probe: Quantiles, offsets: list[float], scale: float = 1.0) -> None:
    """Has the first layer's offset take these values, at one look each."""
    layer = probe.model.net.layers[1]
    with torch.no_grad():
        layer.weight.mul_(scale)
        for i, offset in enumerate(offsets):
            layer.bias.fill_(offset)
            probe.after((i + 1) * probe.every - 1, None)  # type: ignore[arg-type]


def test_the_drift_of_a_distribution_that_only_moves() -> None:
    """Its median moves by what the offset does, and its width stays."""
    probe = Quantiles(5, (0.15, 0.5, 0.85))
    built(probe, norm="none", hidden=(6, 5))
    x = probe.model.prepare(probe.images).flatten(1) @ probe.model.net.layers[1].weight[0]
    low, high = np.quantile(x.detach().numpy(), [0.15, 0.85])
    moved(probe, [3.0, -1.0, 2.0])
    found = probe.metrics()
    assert found["drift_1"] == pytest.approx(np.std([0, 3, -1, 2]) / (high - low), rel=1e-4)
    assert found["width_drift_1"] == pytest.approx(0, abs=1e-5)
    assert found["drift"] == pytest.approx((found["drift_1"] + found["drift_2"]) / 2)


def test_one_look_tells_of_no_drift() -> None:
    probe = Quantiles(5, (0.15, 0.5, 0.85))
    built(probe, norm="none", hidden=(6,))
    assert (probe.metrics(), probe.figures()) == ({}, {})
    moved(probe, [0.0])
    assert probe.metrics()["drift"] == 0
    assert probe.figures().keys() == {"quantiles"}


def test_the_drift_of_a_distribution_that_only_widens() -> None:
    probe = Quantiles(5, (0.15, 0.5, 0.85))
    built(probe, norm="none", hidden=(6,))
    moved(probe, [0.0], scale=4.0)
    assert probe.metrics()["width_drift"] == pytest.approx(np.log(4) / 2, rel=1e-4)


def test_batch_normalisation_keeps_the_distribution_as_wide_as_it_is() -> None:
    found = {}
    for norm in ("none", "batch"):
        probe = Quantiles(5, (0.15, 0.5, 0.85))
        train(built(probe, norm=norm, momentum=0.0, steps=100), 100)
        found[norm] = probe.metrics()["width_drift"]
    assert found["batch"] < 0.5 * found["none"]


def test_the_unit_that_is_asked_for_is_looked_at() -> None:
    found = []
    for unit in (3, 9):  # of six units the fourth, both times
        probe = Quantiles(5, (0.15, 0.5, 0.85), unit=unit)
        made = built(probe, norm="none", hidden=(6,))
        x = made.classifier.prepare(probe.images).flatten(1) @ made.classifier.net.layers[1].weight[3]
        assert probe.history[0, 0, 1].item() == pytest.approx(x.median().item(), abs=0.2)
        found.append(probe.history[0].clone())
    assert torch.equal(*found)
    other = Quantiles(5, (0.15, 0.5, 0.85), unit=0)
    built(other, norm="none", hidden=(6,))
    assert not torch.equal(other.history[0], found[0])


def test_it_looks_when_it_is_due_and_changes_nothing() -> None:
    probe = Quantiles(10, (0.15, 0.5, 0.85))
    with_probe, without = built(probe), built()
    logged = train(with_probe, 40)
    train(without, 40)
    assert [i + 1 for i, found in enumerate(logged) if "quantile/50" in found] == [10, 20, 30, 40]
    assert probe.looks == 5
    for name, value in without.classifier.state_dict().items():
        assert torch.equal(with_probe.classifier.state_dict()[name], value), name


def test_its_state_is_all_that_it_needs() -> None:
    probe, other = Quantiles(10, (0.15, 0.5, 0.85)), Quantiles(10, (0.15, 0.5, 0.85))
    train(built(probe), 20)
    built(other)
    other.load_state_dict(probe.state_dict())
    assert other.metrics() == probe.metrics()
    assert set(probe.figures()) == {"quantiles"}
