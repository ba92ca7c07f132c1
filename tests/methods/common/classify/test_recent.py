"""The median error of the last evaluations."""

from __future__ import annotations

from methods.common.classify.recent import Recent
from tests.methods.common.classify.settings import built, evaluate, train


def filled(errors: list[float]) -> Recent:
    recent = Recent()
    for i, error in enumerate(errors):
        recent.step = 10 * (i + 1)
        recent.add(error)
    return recent


def test_the_median_of_the_last_five() -> None:
    assert filled([0.9, 0.8, 0.5, 0.1, 0.4, 0.2, 0.3]).median == 0.3
    assert filled([0.4, 0.1]).median == 0.25


def test_a_look_at_the_best_weights_adds_nothing() -> None:
    recent = filled([0.3, 0.1, 0.2])
    recent.load_state_dict(filled([0.3, 0.1]).state_dict())
    recent.add(0.1)
    assert list(recent.errors.values()) == [0.3, 0.1, 0.2]
    taken_up = Recent()
    taken_up.load_state_dict(recent.state_dict())
    assert taken_up.median == 0.2


def test_it_is_reported() -> None:
    made = built()
    errors = []
    for start in range(0, 35, 5):
        train(made, 5, start)
        found = evaluate(made, "validation")
        errors.append(found["validation/error"])
    assert found["validation/error_median_last5"] == sorted(errors[-5:])[2]
    assert "test/error_median_last5" not in evaluate(made)
