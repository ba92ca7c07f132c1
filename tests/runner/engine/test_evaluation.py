"""Looking at a stage: with averages in place, and without changing it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from runner.api import Stage
from runner.engine.averages import Averages
from runner.engine.evaluation import Evaluator


class Looked(Stage):
    """A stage whose evaluation does what it is told."""

    name = "looked"

    def __init__(self, tracked: dict[str, Any], action: Any) -> None:
        self.tracked, self.action = tracked, action

    def evaluate(self, split: str, tick: Any) -> dict[str, Any]:
        return {"validation/x": self.action()}


def evaluator(action: Any, ema: bool) -> tuple[nn.Sequential, Evaluator]:
    """A model that is tracked beside one of its parts, after one step of averaging."""
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    tracked = {"model": model, "part": model[0]}
    averages = Averages(tracked, 0.9)
    with torch.no_grad():
        model[0].weight.add_(1.0)
    averages.update()
    return model, Evaluator(
        Looked(tracked, lambda: action(model)), 0, averages if ema else None, lambda: None
    )


def test_averages_are_in_place_while_looking_and_gone_afterwards() -> None:
    model, looking = evaluator(lambda model: model[0].weight.sum().item(), True)
    before = model[0].weight.detach().clone()
    seen = looking.metrics("validation")["validation/x"]
    assert torch.equal(model[0].weight, before)
    assert seen == pytest.approx(before.sum().item() - 4 * 0.1, abs=1e-5)  # the first decay is 1 / 10
    assert looking.metrics("validation")["validation/x"] == seen


@pytest.mark.parametrize("ema", [False, True])
@pytest.mark.parametrize("name", ["0.weight", "1.running_mean", "1.num_batches_tracked"])
def test_a_change_is_refused(name: str, ema: bool) -> None:
    def change(model: nn.Module) -> float:
        with torch.no_grad():
            model.state_dict()[name].add_(1)
        return 0.0

    _, looking = evaluator(change, ema)
    with pytest.raises(RuntimeError, match=name.replace(".", r"\.")):
        looking.metrics("validation")


def test_modes_are_restored() -> None:
    model, looking = evaluator(lambda model: model.eval() and 0.0, False)
    looking.metrics("validation")
    assert model.training
    assert model[1].training
