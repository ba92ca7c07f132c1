"""What a method must give the engine; mistakes are named with the stage, its file and what is wanted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from runner.api import Inputs, Metrics, TrainStage, Update
from runner.engine import contract
from runner.errors import BadMethod

HERE = "stage fit (tests/runner/engine/test_contract.py): "


class Fit(TrainStage):
    name = "fit"
    config = None
    monitor = "validation/error"

    def build(self, inputs: Inputs) -> None: ...

    def sample(self, step: int) -> Any: ...

    def batch(self, index: Any) -> Any: ...

    def step(self, batch: Any, update: Update, step: int) -> Metrics:
        return {}


class Pair:
    """Something of a class of its own that has a state."""

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


def fit(**tracked: Any) -> Fit:
    stage = Fit()
    stage.tracked = tracked
    return stage


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(BadMethod) as caught:
        call()
    said = str(caught.value)
    assert said.startswith(HERE)
    return said.removeprefix(HERE)


def test_an_optimiser_and_what_it_trains_must_be_tracked() -> None:
    net, other = nn.Linear(2, 1), nn.Linear(2, 1)
    sgd = torch.optim.SGD(net.parameters(), lr=0.1)
    contract.optimiser(fit(net=net, optimizer=sgd), sgd)
    contract.optimiser(fit(net=nn.Sequential(net, other), optimizer=sgd), sgd)
    assert "not in self.tracked" in refusal(lambda: contract.optimiser(fit(net=net), sgd))
    assert "of no module in self.tracked" in refusal(lambda: contract.optimiser(fit(optimizer=sgd), sgd))
    assert "of no module" in refusal(lambda: contract.optimiser(fit(net=other, optimizer=sgd), sgd))
    both = torch.optim.SGD([*net.parameters(), *other.parameters()], lr=0.1)
    assert "of no module" in refusal(lambda: contract.optimiser(fit(net=net, optimizer=both), both))
    contract.optimiser(fit(all=Pair()), sgd)  # what it holds is its own affair


class Taken:
    """It can be loaded, but not saved."""

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


def test_tracked_holds_what_has_a_state() -> None:
    contract.tracked(fit(net=nn.Linear(1, 1), pair=Pair()))
    assert refusal(lambda: contract.tracked(Fit())).startswith("build must set self.tracked")
    assert refusal(lambda: contract.tracked(fit(one=Taken()))).startswith("tracked['one'] is a Taken")
    assert refusal(lambda: contract.tracked(fit(rate=0.1))).startswith("tracked['rate'] is a float")


def test_metrics_are_a_dict_of_numbers() -> None:
    assert contract.numbers({"a": torch.tensor(2), "b": 1}, fit(), "evaluate") == {"a": 2.0, "b": 1.0}
    assert refusal(lambda: contract.numbers(None, fit(), "evaluate")) == (
        "evaluate returned None; it must return a dict of numbers"
    )
    assert "returned a list" in refusal(lambda: contract.mapping([1.0], fit(), "step"))
    assert "returned a b that is no single number" in refusal(
        lambda: contract.numbers({"a": 1.0, "b": torch.ones(2)}, fit(), "evaluate")
    )


def test_metrics_are_named_after_their_split_and_hold_the_monitor() -> None:
    contract.of_split({"validation/error": 0.1, "validation/loss": 1.0}, fit(), "validation")
    contract.of_split({"test/loss": 1.0}, fit(), "test")
    assert "it must be called test/error" in refusal(lambda: contract.of_split({"error": 1.0}, fit(), "test"))
    said = refusal(lambda: contract.of_split({"validation/eror": 1.0}, fit(), "validation"))
    assert said.endswith("gives no validation/error, its monitor; did you mean validation/eror?")
