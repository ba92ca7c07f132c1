from __future__ import annotations

from runner.engine.progress import line


def test_a_line_of_metrics_is_in_the_order_of_their_names() -> None:
    metrics = {"v/x_high": 3.0, "v/x_16": 5.0, "v/x_2": 4.0, "v/x": 1.0, "v/x_low": 2.0}
    assert line(metrics) == "v/x 1  v/x_low 2  v/x_high 3  v/x_2 4  v/x_16 5"
