"""The number that a run gives a claim: a final metric, a point of a curve, or one value for each item."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile

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
        stage: whose curve, where several stages log the metric.
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
    stage: str | None = field(default=None, metadata={"help": "stage whose curve it is"})
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
        if self.stage is not None and all(way is None for way in curve):
            raise ValueError("stage goes with at, reach, area or last")
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
        """What is measured of one run, in words; different for what is not the same."""
        name = self.name if self.stage is None else f"{self.stage}'s {self.name}"
        if self.at is not None:
            return f"{name} at step {self.at:,}"
        if self.reach is not None:
            most = "at most" if self.reach_from == "above" else "at least"
            return f"steps until {name} is {most} {self.reach:g}"
        if self.area is not None:
            return f"{name} over steps {self.area[0]:,} to {self.area[1]:,}"
        if self.last is not None:
            return f"median of the last {self.last} of {name}"
        return name

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
        if not self._of_curve:
            return np.array([self._final(place)])
        steps, values = curve(place, self.name, self.stage)
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
        return bool(self._there(curve(place, self.name, self.stage)[1]).any())

    def grid(self, places: Iterable[Path]) -> float | None:
        """Step of the grid that its numbers lie on, as far as it is known; 0 for what is exact.

        A curve is at a level somewhere after the line of the log before.
        """
        if self.count is not None:
            return 1.0
        if self.name == "parameters":
            return 0.0
        if self.reach is None:
            return None
        return max(float(np.diff(curve(one, self.name, self.stage)[0], prepend=0).max()) for one in places)

    @property
    def last_step(self) -> int | None:
        """The step that its curve must come to, where that is known."""
        return self.at if self.area is None else self.area[1]

    @property
    def _of_curve(self) -> bool:
        return any(way is not None for way in (self.at, self.reach, self.area, self.last))

    def _there(self, values: Values) -> NDArray[np.bool_]:
        assert self.reach is not None
        return values <= self.reach if self.reach_from == "above" else values >= self.reach

    def _final(self, place: Path) -> float:
        result = folder.read_result(place)
        assert result is not None
        known = {**result["metrics"], **{name: result.get(name) for name in OF_RUN}}
        value = known.get(self.name)
        if not _is_number(value) and self.name in known:
            raise ConfigError(f"{place}: {self.name} is {value}, which is no number")
        if not _is_number(value):
            raise ConfigError(f"{place} has no metric {self.name}{nearest(self.name, result['metrics'])}")
        return _number(value)

    def _items(self, place: Path) -> Values:
        try:
            with np.load(place / folder.ITEMS, allow_pickle=False) as kept:
                if self.name not in kept:
                    raise ConfigError(
                        f"{place / folder.ITEMS} has no {self.name}{nearest(self.name, kept.files)}"
                    )
                values = np.asarray(kept[self.name], dtype=float)
                if values.ndim != 1:
                    raise ConfigError(f"{place / folder.ITEMS}: {self.name} is not one value for each item")
                return values
        except (OSError, ValueError, TypeError, BadZipFile) as error:
            raise ConfigError(f"{place} keeps no values for each item ({error})") from None


OF_RUN = ("seconds", "parameters", "peak_memory_mb")


def curve(place: Path, name: str, stage: str | None = None) -> tuple[Values, Values]:
    """Steps and values of a metric in a run's log.

    Raises `ConfigError` where it was not logged, or by several stages of which none is named.
    """
    found: dict[str, dict[int, float]] = {}
    known: set[str] = set()
    try:
        for entry in read(place / METRICS):
            known |= entry.keys()
            if name in entry:
                value = math.nan if entry[name] is None else _number(entry[name])
                found.setdefault(str(entry["stage"]), {})[int(entry["step"])] = value
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ConfigError(f"{place / METRICS} is damaged ({' '.join(str(error).split())})") from None
    if stage is not None:
        if found and stage not in found:
            raise ConfigError(f"{place}: stage {stage} logged no {name}{nearest(stage, found)}")
        found = {stage: found[stage]} if found else {}
    if not found:
        raise ConfigError(f"{place} logged no {name}{nearest(name, known - {'stage', 'step'})}")
    if len(found) > 1:
        raise ConfigError(f"{name} is logged by stages {', '.join(found)}; the metric must name its stage")
    ((_, points),) = found.items()
    return np.array(list(points), dtype=float), np.array(list(points.values()))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _number(value: Any) -> float:
    """A number of a run's files; infinite if no float can hold it, and TypeError for what is none."""
    if not _is_number(value):
        raise TypeError(f"{value} is no number")
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _mean_height(steps: Values, values: Values, start: int, stop: int) -> float:
    inside = (steps >= start) & (steps <= stop)
    if inside.sum() < 2:
        raise ConfigError(f"the curve has {inside.sum()} points between steps {start} and {stop}")
    x, y = steps[inside], values[inside]
    return float(np.sum((x[1:] - x[:-1]) * (y[1:] + y[:-1]) / 2) / (x[-1] - x[0]))
