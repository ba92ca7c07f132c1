"""The number that a run gives a claim: a final metric, a point of a curve, or one value for each item."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from runner import folder
from runner.claim.statistics import Values, line
from runner.engine.journal import METRICS, read
from runner.errors import ConfigError, nearest


@dataclass(frozen=True)
class Measure:
    """What is read from a run; with no more than a name, a final metric of its `result.json`.

    Attributes:
        name: a metric, such as `test/bits_per_dim`; or one of `seconds`, `parameters`, `peak_memory_mb`.
        at: the value at this step of the curve.
        reach: the first step at which the curve is at this level; the last step where it never is.
        reach_from: the side from which it comes.
        area: the mean height of the curve between two steps (by trapezoids).
        last: the median of so many last points of the curve.
        items: whether it has one value for each item, such as each image.
        slope: of a swept arm, the slope of the metric against the swept values or their logarithms.
        spread: of a swept arm, the greatest value less the least.
        count: of a swept arm, at how many of the swept values the metric is at least this.
    """

    name: str = field(metadata={"help": "the metric"})
    at: int | None = field(default=None, metadata={"help": "step of the curve", "min": 0})
    reach: float | None = field(default=None, metadata={"help": "level of the curve"})
    reach_from: Literal["above", "below"] = field(default="above", metadata={"help": "side it comes from"})
    area: tuple[int, ...] | None = field(default=None, metadata={"help": "two steps of the curve", "min": 0})
    last: int | None = field(default=None, metadata={"help": "points of the curve", "min": 1})
    items: bool = field(default=False, metadata={"help": "whether each item has a value"})
    slope: Literal["linear", "log"] | None = field(
        default=None, metadata={"help": "slope against a swept quantity, as it is or its logarithm"}
    )

    spread: bool = field(default=False, metadata={"help": "greatest less least over a swept quantity"})
    count: float | None = field(
        default=None, metadata={"help": "level that swept values are counted by which reach it"}
    )

    def __post_init__(self) -> None:
        curve = (self.at, self.reach, self.area, self.last)
        if sum(way is not None for way in curve) + self.items > 1:
            raise ValueError("only one of at, reach, area, last and items can be given")
        if (self.slope is not None) + self.spread + (self.count is not None) + self.items > 1:
            raise ValueError("only one of slope, spread, count and items can be given")
        if self.area is not None and (len(self.area) != 2 or self.area[0] >= self.area[1]):
            raise ValueError("area takes two steps, the smaller first")

    @property
    def said(self) -> str:
        """What it is, in words."""
        if self.slope is not None:
            return f"slope of {self.plain} ({self.slope})"
        if self.count is not None:
            return f"how often {self.plain} is at least {self.count:g}"
        return f"spread of {self.plain}" if self.spread else self.plain

    @property
    def sweeps(self) -> bool:
        """Whether it is one number for all values of a swept arm."""
        return self.slope is not None or self.spread or self.count is not None

    def over(self, x: Sequence[float], y: Values) -> float:
        """That number, of values `y` at the swept values `x`."""
        if self.slope is not None:
            return line([math.log(value) for value in x] if self.slope == "log" else x, y)
        return float(np.sum(y >= self.count)) if self.count is not None else float(y.max() - y.min())

    @property
    def plain(self) -> str:
        """What is measured of one run, in words."""
        if self.at is not None:
            return f"{self.name} at step {self.at:,}"
        if self.reach is not None:
            return f"steps until {self.name} is {self.reach:g}"
        if self.area is not None:
            return f"{self.name} over steps {self.area[0]:,} to {self.area[1]:,}"
        if self.last is not None:
            return f"median of the last {self.last} of {self.name}"
        return self.name

    @property
    def is_of_run(self) -> bool:
        """Whether the runner itself reports it, for every run."""
        return self.name in OF_RUN

    def of(self, place: Path) -> Values:
        """The number of the completed run in `place` as `[1]`, or `[I]` for its items.

        Raises `ConfigError` where the run has no such number.
        """
        if self.items:
            return self._items(place)
        if self.at is None and self.reach is None and self.area is None and self.last is None:
            return np.array([self._final(place)])
        steps, values = curve(place, self.name)
        if self.last is not None:
            if len(values) < self.last:
                raise ConfigError(f"{place}: {self.name} was logged {len(values)} times, not {self.last}")
            return np.array([np.median(values[-self.last :])])
        if self.at is not None:
            if self.at not in steps:
                raise ConfigError(f"{place}: {self.name} was not logged at step {self.at}")
            return values[steps == self.at][-1:]
        if self.reach is not None:
            there = self._there(values)
            return np.array([steps[there.argmax()] if there.any() else steps[-1]], dtype=float)
        assert self.area is not None
        return np.array([_mean_height(steps, values, *self.area)])

    def reached(self, place: Path) -> bool:
        """Whether the curve ever comes to the level of `reach`."""
        assert self.reach is not None
        return bool(self._there(curve(place, self.name)[1]).any())

    def _there(self, values: Values) -> NDArray[np.bool_]:
        assert self.reach is not None
        return values <= self.reach if self.reach_from == "above" else values >= self.reach

    def _final(self, place: Path) -> float:
        result = folder.read_result(place)
        assert result is not None
        known = {**result["metrics"], **{name: result.get(name) for name in OF_RUN}}
        value = known.get(self.name)
        if not isinstance(value, (int, float)):
            raise ConfigError(f"{place} has no metric {self.name}{nearest(self.name, result['metrics'])}")
        return float(value)

    def _items(self, place: Path) -> Values:
        try:
            with np.load(place / folder.ITEMS, allow_pickle=False) as kept:
                if self.name not in kept:
                    raise ConfigError(
                        f"{place / folder.ITEMS} has no {self.name}{nearest(self.name, kept.files)}"
                    )
                return np.asarray(kept[self.name], dtype=float)
        except (OSError, ValueError) as error:
            raise ConfigError(f"{place} keeps no values for each item ({error})") from None


OF_RUN = ("seconds", "parameters", "peak_memory_mb")


def curve(place: Path, name: str) -> tuple[Values, Values]:
    """Steps and values of a metric in a run's log; raises `ConfigError` where it was not logged."""
    found: dict[int, float] = {}
    known: set[str] = set()
    for entry in read(place / METRICS):
        known |= entry.keys()
        if name in entry:
            found[entry["step"]] = math.nan if entry[name] is None else float(entry[name])
    if not found:
        raise ConfigError(f"{place} logged no {name}{nearest(name, known - {'stage', 'step'})}")
    return np.array(list(found), dtype=float), np.array(list(found.values()))


def _mean_height(steps: Values, values: Values, start: int, stop: int) -> float:
    inside = (steps >= start) & (steps <= stop)
    if inside.sum() < 2:
        raise ConfigError(f"the curve has {inside.sum()} points between steps {start} and {stop}")
    x, y = steps[inside], values[inside]
    return float(np.sum((x[1:] - x[:-1]) * (y[1:] + y[:-1]) / 2) / (x[-1] - x[0]))
