"""The number that a run gives, from curves and finals counted by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner.claim.measure import Measure
from runner.errors import ConfigError

RESULT = {"status": "completed", "metrics": {"test/loss": 0.5}, "seconds": 3.0, "steps": 4, "parameters": 7}
CURVE = {10: 4.0, 20: 2.0, 30: 3.0, 40: 1.0, 50: None}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "result.json").write_text(json.dumps(RESULT))
    lines = [{"stage": "s", "step": step, "val": value} for step, value in CURVE.items() if value is not None]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    np.savez(tmp_path / "items.npz", error=np.arange(4.0))
    return tmp_path


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        ({"name": "test/loss"}, 0.5),
        ({"name": "parameters"}, 7),
        ({"name": "val", "at": 30}, 3),
        ({"name": "val", "reach": 2.0}, 20),
        ({"name": "val", "reach": 0.5}, 40),
        ({"name": "val", "reach": 3.5, "reach_from": "below"}, 10),
        ({"name": "val", "area": (10, 40)}, (3 + 2.5 + 2) / 3),
        ({"name": "val", "last": 3}, 2),
        ({"name": "val", "last": 2}, 2),
    ],
)
def test_one_number_of_a_run(measure: dict[str, Any], expected: float, place: Path) -> None:
    assert Measure(**measure).of(place).tolist() == pytest.approx([expected])


def test_a_number_for_each_item(place: Path) -> None:
    assert Measure("error", items=True).of(place).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("measure", "said"),
    [
        ({"name": "test/los"}, "has no metric test/los; did you mean test/loss"),
        ({"name": "vat", "at": 10}, "logged no vat; did you mean val"),
        ({"name": "val", "at": 15}, "was not logged at step 15"),
        ({"name": "val", "area": (41, 60)}, "0 points between"),
        ({"name": "val", "last": 5}, "was logged 4 times, not 5"),
        ({"name": "errors", "items": True}, "has no errors"),
    ],
)
def test_what_a_run_does_not_have(measure: dict[str, Any], said: str, place: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        Measure(**measure).of(place)


def test_curves_of_several_stages_are_not_one(place: Path) -> None:
    with (place / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"stage": "t", "step": 20, "val": 7.0}) + "\n")
    with pytest.raises(ConfigError, match="is logged by stages s, t; the metric must name its stage"):
        Measure("val", last=1).of(place)
    with pytest.raises(ConfigError, match="stage tt logged no val; did you mean t"):
        Measure("val", last=1, stage="tt").of(place)
    assert Measure("val", at=20, stage="t").of(place).tolist() == [7]
    assert Measure("val", at=20, stage="s").of(place).tolist() == [2]


def test_what_is_known_of_a_grid(place: Path) -> None:
    assert Measure("val", reach=2.0).grid([place, place]) == 10
    assert Measure("val", count=2.0).grid([place]) == 1
    assert Measure("parameters").grid([place]) == 0
    assert Measure("test/loss").grid([place]) is None


def test_measures_that_differ_are_named_apart() -> None:
    ways: list[dict[str, Any]] = [{}, {"at": 3}, {"at": 3, "stage": "s"}, {"last": 3}, {"area": (1, 3)}]
    ways += [{"reach": 3.0}, {"reach": 3.0, "reach_from": "below"}, {"reach": 3.0, "stage": "s"}]
    assert len({Measure("val", **way).plain for way in ways}) == len(ways)


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        ({"slope": "linear"}, 0.1),
        ({"slope": "log"}, np.polyfit(np.log([1, 2, 4]), [0.1, 0.2, 0.4], 1)[0]),
        ({"spread": True}, 0.3),
        ({"count": 0.2}, 2),
        ({"count": 0.5}, 0),
    ],
)
def test_one_number_over_what_is_swept(measure: dict[str, Any], expected: float) -> None:
    found = Measure("x", **measure)
    assert found.sweeps
    assert found.over([1.0, 2.0, 4.0], np.array([0.1, 0.2, 0.4])) == pytest.approx(expected)
    assert not Measure("x").sweeps
