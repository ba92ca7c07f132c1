"""What guesses tell of known factors, for guesses whose answer is known."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch

from datasets.types import Factor
from methods.infogan import look
from methods.infogan.codes import CodeSpec
from methods.infogan.known import known

MANY = 4000


def game(spec: CodeSpec, factors: torch.Tensor) -> SimpleNamespace:
    part = SimpleNamespace(factors=factors)
    known = (Factor("light"), Factor("hat", ("no", "yes")))
    data = SimpleNamespace(test=SimpleNamespace(plain=part), known=known, classes=("a", "b", "c"))
    return SimpleNamespace(codes=spec, data=data)


@pytest.fixture(autouse=True)
def classes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "labels", lambda *given: torch.arange(MANY) % 3)


@pytest.fixture
def drawn() -> tuple[torch.Tensor, torch.Tensor]:
    """Light, and whether there is a hat."""
    dice = torch.Generator().manual_seed(3)
    return torch.rand(MANY, generator=dice), (torch.rand(MANY, generator=dice) < 0.5).float()


def test_what_is_told(drawn: tuple[torch.Tensor, torch.Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    """The second categorical code tells the hat, the second uniform one the light, backwards."""
    light, hat = drawn
    spec = CodeSpec((3, 2), 2)
    logits = torch.zeros(MANY, 5)
    logits[torch.arange(MANY), torch.arange(MANY) % 3] = 1
    logits[torch.arange(MANY), 3 + hat.long()] = 1
    dice = torch.Generator().manual_seed(4)
    guessed = torch.cat(
        (logits, torch.rand(MANY, 2, generator=dice), -light[:, None], torch.zeros(MANY, 1)), 1
    )
    monkeypatch.setattr(look, "read", lambda *given: guessed)
    found = known(game(spec, torch.stack((light, hat), 1)), "test", lambda: None)  # type: ignore[arg-type]
    assert found["test/rank_true_light"] == found["test/rank_true_light_c4"] == pytest.approx(1)
    assert found["test/rank_true_light_c3"] < 0.1
    assert found["test/told_hat"] == pytest.approx(math.log(2), abs=2e-3)
    assert 0 < found["test/told_hat_shuffled"] < 2e-3
    assert not any("hat" in name for name in found if "rank" in name)
    assert found["test/told_class"] == pytest.approx(math.log(3), abs=5e-3), "the first code tells the class"


def test_what_is_told_where_guesses_know_nothing(
    drawn: tuple[torch.Tensor, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    light, hat = drawn
    logits = torch.nn.functional.one_hot(torch.arange(MANY) % 10, 10).float()
    monkeypatch.setattr(look, "read", lambda *given: logits)
    found = known(game(CodeSpec((10,), 0), torch.stack((light, hat), 1)), "test", lambda: None)  # type: ignore[arg-type]
    assert found.keys() == {
        *("test/told_hat", "test/told_hat_shuffled"),
        *("test/told_class", "test/told_class_shuffled"),
    }
    assert abs(found["test/told_hat"]) < 2e-3
