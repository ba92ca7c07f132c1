from __future__ import annotations

from pathlib import Path

import pytest

from runner import console
from runner.run import Outcome


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "statistics.png").touch()
    return tmp_path


def said(outcome: Outcome, log: Path) -> list[str]:
    """The messages of the footer."""
    with console.writing_to(log):
        console.footer(outcome)
    return [line.split(" INFO ", 1)[1] for line in log.read_text().splitlines()]


@pytest.fixture(autouse=True)
def listening() -> None:
    console.start()


def test_metrics_end_a_run_in_the_order_of_their_numbers(place: Path) -> None:
    names = ["mean_error", "mean_error_low", "mean_error_high", "mean_error_2", "mean_error_16"]
    outcome = Outcome(place, metrics=dict.fromkeys(sorted(names), 0.5), steps=10)
    assert [line.split()[0] for line in said(outcome, place / "run.log")[: len(names)]] == names


def test_curves_are_named_only_where_something_was_trained(place: Path) -> None:
    pictures = f"pictures: {place / 'figures'} (statistics)"
    assert said(Outcome(place), place / "look.log") == [pictures]
    curves = f"curves:   tensorboard --logdir {place}"
    assert said(Outcome(place, steps=10), place / "train.log") == [curves, pictures]
