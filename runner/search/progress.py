"""How far a trial that still runs has come, from the log in its folder."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from runner.engine.journal import METRICS, read


def intermediate(
    folder: Path, metric: str, after_step: int = -1, stage: str | None = None
) -> Iterator[tuple[int, float]]:
    """Steps and values of `metric` in a job's log, of the steps after `after_step`; NaN for no number.

    Arguments:
        stage: the stage to look at, where several log the metric; None = any. Steps are counted by stage.
    """
    for entry in read(folder / METRICS):
        if metric in entry and entry["step"] > after_step and stage in (None, entry["stage"]):
            value = entry[metric]
            yield entry["step"], math.nan if value is None else float(value)
