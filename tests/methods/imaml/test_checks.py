"""The checks of the implicit gradient, and that they notice what is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from methods.imaml import checks
from methods.imaml.inner import Inner
from runner.compose import Composer


def config(*words: str) -> Any:
    return (
        Composer(["method.lam=2.0", *words] if "imaml" in words[0] else list(words)).compose().method_config
    )


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(1)


def test_the_way_to_the_solution_does_not_matter() -> None:
    found = checks.solvers(config("method=imaml"), None)  # type: ignore[arg-type]
    assert found["check/stationarity"] < 1e-8
    assert found["check/gradient_spread"] < 1e-8


def test_solvers_that_have_not_converged_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "Inner", lambda solver, steps, lr: Inner(solver, 3, lr))
    found = checks.solvers(config("method=imaml"), None)  # type: ignore[arg-type]
    assert found["check/gradient_spread"] > 1e-3


def test_the_jacobian_is_the_inverse() -> None:
    assert checks.jacobian(config("method=imaml"), None)["check/jacobian_error"] < 1e-6  # type: ignore[arg-type]


def test_a_pull_that_is_left_out_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unpulled(Inner):
        def __call__(self, losses: Any, theta: Any, lam: Any) -> Any:
            return super().__call__(losses, theta, 0 * lam)

    monkeypatch.setattr(checks, "Inner", Unpulled)
    assert checks.jacobian(config("method=imaml"), None)["check/jacobian_error"] > 0.1  # type: ignore[arg-type]


def test_products_with_the_hessian_cost_a_few_gradients() -> None:
    found = checks.hessian_cost(config("method=imaml"), None)  # type: ignore[arg-type]
    assert found["check/dimensions"] == 401
    assert found["check/dense_over_product"] > 20
    assert found["check/product_over_gradient"] < 20


def test_errors_fall_with_the_steps_and_the_normal_equations_are_slower() -> None:
    errors = []
    for steps in (1, 5, 20):
        torch.manual_seed(2)
        found = checks.cg_error(config("method=imaml", f"method.cg_steps={steps}"), None)  # type: ignore[arg-type]
        errors.append(float(found["check/log_error"]))
        if steps == 5:
            assert found["check/normal_over_plain"] > 0.3
    assert errors[0] > errors[1] + 0.5 > errors[2] + 3


def test_memory_is_flat_for_one_and_grows_for_the_other() -> None:
    peaks: dict[str, list[float]] = {"imaml": [], "maml": []}
    for name, found in peaks.items():
        for steps in (2, 6):
            words = (f"method={name}", "method.filters=4", f"method.inner_steps={steps}")
            found.append(checks.memory(config(*words), None)["check/peak_mb"])  # type: ignore[arg-type]
    assert peaks["imaml"][1] == pytest.approx(peaks["imaml"][0], rel=0.01)
    assert peaks["maml"][1] > 1.2 * peaks["maml"][0]


def test_what_is_measured_is_the_methods_own_gradient() -> None:
    """Going back through two steps only takes less than through all, and so does a head alone."""
    words = ("method.filters=4", "method.inner_steps=16")
    peaks = {
        name: float(checks.memory(config(*more, *words), None)["check/peak_mb"])  # type: ignore[arg-type]
        for name, more in {
            "maml": ("method=maml",),
            "truncated": ("method=maml", "method.through=2"),
            "fomaml": ("method=fomaml",),
        }.items()
    }
    assert peaks["fomaml"] < peaks["truncated"] < 0.7 * peaks["maml"]


@pytest.mark.parametrize("name", ["imaml", "maml", "fomaml", "reptile", "anil"])
def test_the_costs_of_each_method_are_measured(name: str) -> None:
    words = (f"method={name}", "method.filters=4", "method.shot=2", "method.inner_steps=3")
    assert checks.cost(config(*words), None)["check/seconds"] > 0  # type: ignore[arg-type]
    found = checks.task_cost(config(*words), None)  # type: ignore[arg-type]
    assert (found["check/gradients"], found["check/extra_parameters"]) == (3, 5 * (4 + 1))


def test_conjugate_gradients_of_the_check_are_numpys_solution() -> None:
    """With as many steps as dimensions, to rounding."""
    found = checks.cg_error(config("method=imaml", "method.cg_steps=60"), None)  # type: ignore[arg-type]
    assert found["check/log_error"] < -8
    assert np.isfinite(float(found["check/normal_over_plain"]))
