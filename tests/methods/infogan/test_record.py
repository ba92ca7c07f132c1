"""The curve of information: means of the batches before each point, kept over a stop."""

from __future__ import annotations

import pytest

from methods.infogan.record import Curve


def fed(curve: Curve, first: int, last: int) -> Curve:
    for step in range(first, last + 1):
        curve.add(step, {"mi_c1": float(step), "d_loss": 9.0})
    return curve


def test_a_point_is_the_mean_of_the_last_batches() -> None:
    curve = fed(Curve(100), 1, 250)
    assert curve.steps == [100, 200]
    assert curve.points == {"mi_c1": [pytest.approx(75.5), pytest.approx(175.5)]}
    close = fed(Curve(10), 1, 20)
    assert close.points["mi_c1"] == [pytest.approx(5.5), pytest.approx(15.5)]


def test_a_stop_changes_nothing() -> None:
    whole, broken = fed(Curve(100), 1, 300), fed(Curve(100), 1, 170)
    again = Curve(100)
    again.load_state_dict(broken.state_dict())
    fed(again, 171, 300)
    assert again.state_dict() == whole.state_dict()
