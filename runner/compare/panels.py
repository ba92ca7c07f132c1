"""One panel per metric: what is to be drawn of each configuration, in a picture as on a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from runner.compare.curves import Band, Curve, Numbers, make_band, make_curve
from runner.compare.differ import matches
from runner.compare.echoes import CLOSE, mirror, of_interval
from runner.compare.group import Comparison, Configuration
from runner.compare.history import read_history
from runner.compare.load import Run
from runner.order import ENDS

TRAIN = 2
Key = tuple[str, str]
"""A stage and a metric."""


@dataclass(frozen=True)
class Seed:
    """One run's curve; `counted` says whether the mean contains it."""

    run: Run
    curve: Curve
    counted: bool


@dataclass(frozen=True)
class Line:
    """A configuration in a panel; without a band where its counted runs share no step.

    `mirrored` says that all its values are 1 less those of the accuracy beside it.
    """

    band: Band | None
    seeds: list[Seed]
    mirrored: bool = False


@dataclass(frozen=True)
class Panel:
    """A metric with the configurations that logged it, in the comparison's order, by their position there."""

    title: str
    lines: dict[int, Line]

    @property
    def metric(self) -> str:
        """The metric's name, without the stage."""
        return self.title.rpartition(": ")[2]

    @property
    def points(self) -> int:
        """Points of the longest curve."""
        return max(len(seed.curve.steps) for line in self.lines.values() for seed in line.seeds)


def make_panels(comparison: Comparison, globs: Sequence[str] = ()) -> list[Panel]:
    """The panels whose metric matches one of `globs`; without globs, all that are curves if any of
    validation or test is, and that no other says already (`runner.compare.echoes`).

    Curves come before single points, and among each of these validation first, then test, then the rest. A
    final metric that was not logged is a single point at the run's last step. A metric that several stages
    logged has a panel for each stage.
    """
    found: dict[Key, dict[int, Line]] = {}
    # One configuration at a time: only its own runs' whole logs are held in memory.
    for position, configuration in enumerate(comparison.configurations):
        for key, line in _lines(configuration, globs).items():
            found.setdefault(key, {})[position] = line
    if not globs:
        names = {metric for _, metric in found}
        found = {
            key: lines
            for key, lines in found.items()
            if not (of_interval(key[1], names) or all(line.mirrored for line in lines.values()))
        }
    stages: dict[str, set[str]] = {}
    for stage, metric in found:
        stages.setdefault(metric, set()).add(stage)
    panels = [
        Panel(metric if len(stages[metric]) == 1 else f"{stage}: {metric}", lines)
        for (stage, metric), lines in found.items()
    ]
    panels.sort(key=lambda panel: (panel.points == 1, _rank(panel.metric)))
    curved = [panel for panel in panels if panel.points > 1]
    judged = any(_rank(panel.metric) < TRAIN for panel in curved)
    return panels if globs or not judged else curved


def _lines(configuration: Configuration, globs: Sequence[str]) -> dict[Key, Line]:
    seeds: dict[Key, list[Seed]] = {}
    counted = {run.folder for run in configuration.counted}
    for run in configuration.runs:
        for key, curve in _curves(run, globs).items():
            seeds.setdefault(key, []).append(Seed(run, curve, run.folder in counted))
    return {key: _line(key, seeds) for key in seeds}


def _line(key: Key, found: dict[Key, list[Seed]]) -> Line:
    seeds = found[key]
    band = make_band([seed.curve for seed in seeds if seed.counted])
    if band is not None and band.n == 1:
        band = replace(band, ends=_ends(key, found, band))
    thinned = [Seed(seed.run, seed.curve.thinned(), seed.counted) for seed in seeds]
    return Line(None if band is None else band.thinned(), thinned, _is_mirrored(key, found))


def _ends(key: Key, found: dict[Key, list[Seed]], band: Band) -> tuple[Numbers, Numbers] | None:
    """The interval that the only counted run has logged, where it has at every step."""
    ends = [
        seed.curve
        for end in ENDS
        for seed in found.get((key[0], key[1] + end), [])
        if seed.counted and np.array_equal(seed.curve.steps, band.steps)
    ]
    return (ends[0].values, ends[1].values) if len(ends) == 2 else None


def _is_mirrored(key: Key, found: dict[Key, list[Seed]]) -> bool:
    other = mirror(key[1])
    accuracies = {seed.run.folder: seed.curve for seed in found.get((key[0], other or ""), [])}
    return all(
        (beside := accuracies.get(seed.run.folder)) is not None
        and np.array_equal(beside.steps, seed.curve.steps)
        and np.allclose(beside.values + seed.curve.values, 1, rtol=0, atol=CLOSE)
        for seed in found[key]
    )


def _curves(run: Run, globs: Sequence[str]) -> dict[Key, Curve]:
    # The log's last line repeats the result, each name with final/ in front.
    repeated = {f"final/{metric}" for metric in run.metrics}
    logged = {
        key: make_curve(*points)
        for key, points in read_history(run).items()
        if matches(key[1], globs or ["*"]) and key[1] not in repeated
    }
    names = {metric for _, metric in logged}
    final = {
        ("final", metric): make_curve([run.steps or 0], [value])
        for metric, value in run.metrics.items()
        if metric not in names and matches(metric, globs or ["*"])
    }
    return logged | final


def _rank(metric: str) -> int:
    return {"validation": 0, "test": 1, "train": TRAIN}.get(metric.partition("/")[0], TRAIN + 1)
