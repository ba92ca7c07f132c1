"""The toys are examples too: what they compute is right."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
import torch
from torch import nn

from tests.runner.toys.runs import TOYS


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(TOYS))


def test_the_log_determinant_of_the_flow_is_that_of_its_jacobian() -> None:
    torch.manual_seed(0)
    config: Any = import_module("toy_flow.config").FlowConfig(4, 8, 0.0, 0.01, 0)
    flow = import_module("toy_flow.method").Flow(config).double()
    for buffer in flow.buffers():
        buffer.uniform_(0.5, 1.5)
    flow.eval()
    flow.double()
    for x in torch.randn(5, 2, dtype=torch.float64):
        jacobian = torch.autograd.functional.jacobian(lambda x: flow(x[None])[0][0], x)
        expected = torch.linalg.slogdet(jacobian)[1]
        assert flow(x[None])[1].item() == pytest.approx(expected.item(), rel=1e-5, abs=1e-6)


def test_the_flow_norm_standardises_a_batch_in_training() -> None:
    norm = import_module("toy_flow.method").FlowNorm()
    x = torch.randn(64, 2) * 3 + 1
    z, log_det = norm(x)
    reference = nn.BatchNorm1d(2, affine=False)
    assert torch.allclose(z, reference(x), atol=1e-5)
    assert log_det.shape == (64,)
    assert not torch.equal(norm.mean, torch.zeros(2))


def test_the_implicit_gradient_solves_the_linear_system() -> None:
    implicit = import_module("toy_meta.implicit")
    torch.manual_seed(0)
    a, b = torch.randn(2, 6, 6, dtype=torch.float64)
    a, b = a @ a.T, b @ b.T
    w, strength = torch.randn(6, dtype=torch.float64), 3.0
    found = implicit.implicit_gradient(lambda v: v @ a @ v / 2, lambda v: v @ b @ v / 2, w, strength, 6)
    expected = torch.linalg.solve(torch.eye(6, dtype=torch.float64) + a / strength, b @ w)
    assert torch.allclose(found, expected, atol=1e-8)


def test_adapting_ends_where_the_inner_gradient_vanishes() -> None:
    implicit = import_module("toy_meta.implicit")
    start, target = torch.zeros(3, dtype=torch.float64), torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64)
    w = implicit.adapt(lambda v: (v - target).square().sum() / 2, start, 1.0, 200, 0.2)
    assert torch.allclose(w, target / 2, atol=1e-8)


def test_the_energy_distance_is_zero_for_equal_samples_and_that_of_scipy_on_a_line() -> None:
    stats = pytest.importorskip("scipy.stats")
    distance = import_module("toy_gan.method").energy_distance
    x, y = torch.randn(40, 1, dtype=torch.float64), torch.randn(50, 1, dtype=torch.float64) + 1
    expected = stats.energy_distance(x[:, 0].numpy(), y[:, 0].numpy()) ** 2
    assert distance(x, y).item() == pytest.approx(expected)
    assert distance(x, x).item() == pytest.approx(0.0, abs=1e-12)


def test_names_are_spelt() -> None:
    method = import_module("toy_captioner.method")
    letters = method.spell(torch.tensor([3, 1]))
    assert ["".join(method.LETTERS[i] for i in row).rstrip(".") for row in letters] == ["three", "one"]
