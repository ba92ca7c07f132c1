"""What a claim expects of its arms, and what their numbers say about it.

Each form compares an interval with the region in which the claim holds: inside, the claim is reproduced;
wholly outside, it is not; across the border, the numbers do not say. So noise alone seldom reproduces
anything.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from runner.claim.statistics import (
    Interval,
    Values,
    corrected,
    difference,
    interval,
    line,
    log_ratio,
    over_seeds,
)

Verdict = Literal["reproduced", "not reproduced", "inconclusive"]
REPRODUCED: Verdict = "reproduced"
NOT: Verdict = "not reproduced"
OPEN: Verdict = "inconclusive"
Side = Literal["less", "greater"]


@dataclass(frozen=True)
class Finding:
    """What one expectation came to.

    Attributes:
        verdict: reproduced, not reproduced or inconclusive.
        what: what was estimated, such as `affine - additive`.
        wanted: where the claim holds, such as `below 0`.
        interval: the estimate with its ends.
    """

    verdict: Verdict
    what: str
    wanted: str
    interval: Interval


class Samples:
    """The numbers of a claim's arms.

    Arguments:
        read: `read(arm)` gives `[S]` or `[S, I]` of the expectation's metric, seeds in one order.
        places: for an arm that is swept, its values and the names of its arms, in ascending order.
        grid: step of the grid that the metric lies on, where it is known; 0 for what is exact.
    """

    def __init__(
        self,
        read: Callable[[str], Values],
        places: Callable[[str], tuple[list[float], list[str]]],
        grid: float | None = None,
    ) -> None:
        self.of, self.swept, self.grid = read, places, grid


@dataclass(frozen=True)
class Direction:
    """One arm is less or greater than another, by more than `by`."""

    form: Literal["direction"] = field(metadata={"help": "the form of the expectation"})
    arm: str = field(metadata={"help": "the arm"})
    than: str = field(metadata={"help": "the arm that it is compared with"})
    sign: Side = field(metadata={"help": "which side the first is on"})
    by: float = field(default=0.0, metadata={"help": "least distance that the claim says", "min": 0})
    metric: Any = field(default=None, metadata={"help": "another metric than the claim's"})

    def judge(self, samples: Samples, level: float) -> Finding:
        found = interval(difference(samples.of(self.arm), samples.of(self.than)), level, samples.grid)
        low, high = _beyond(self.sign, 0.0 - self.by if self.sign == "less" else self.by)
        return _placed(found, f"{self.arm} - {self.than}", low, high, strict=True)


@dataclass(frozen=True)
class Ratio:
    """One arm is some times another, by the geometric mean over seeds."""

    form: Literal["ratio"] = field(metadata={"help": "the form of the expectation"})
    arm: str = field(metadata={"help": "the arm"})
    to: str = field(metadata={"help": "the arm that it is divided by"})
    low: float | None = field(default=None, metadata={"help": "least ratio; null = none", "above": 0})
    high: float | None = field(default=None, metadata={"help": "greatest ratio; null = none", "above": 0})
    metric: Any = field(default=None, metadata={"help": "another metric than the claim's"})

    def __post_init__(self) -> None:
        _refuse_empty(self.low, self.high)

    def judge(self, samples: Samples, level: float) -> Finding:
        above, below = samples.of(self.arm), samples.of(self.to)
        if above.ndim > 1 or above.min() <= 0 or below.min() <= 0:
            raise ValueError("a ratio needs one positive number for each seed")
        grid = None if samples.grid is None else samples.grid / min(above.min(), below.min())
        log = over_seeds(log_ratio(above, below), level, grid)
        found = Interval(_exp(log.estimate), _exp(log.low), _exp(log.high), level, log.how)
        return _placed(found, f"{self.arm} / {self.to}", self.low, self.high)


@dataclass(frozen=True)
class _Region:
    """An arm and where its values lie."""

    form: str = field(metadata={"help": "the form of the expectation"})
    arm: str = field(metadata={"help": "the arm"})
    low: float | None = field(default=None, metadata={"help": "least value; null = none"})
    high: float | None = field(default=None, metadata={"help": "greatest value; null = none"})
    metric: Any = field(default=None, metadata={"help": "another metric than the claim's"})

    def __post_init__(self) -> None:
        _refuse_empty(self.low, self.high)


@dataclass(frozen=True)
class Within(_Region):
    """The mean of an arm lies between two numbers."""

    form: Literal["interval"] = field(metadata={"help": "the form of the expectation"})

    def judge(self, samples: Samples, level: float) -> Finding:
        found = interval(samples.of(self.arm), level, samples.grid)
        return _placed(found, self.arm, self.low, self.high)


@dataclass(frozen=True)
class Bound(_Region):
    """An exact claim: no seed of an arm goes beyond a bound, which holds rounding errors alone."""

    form: Literal["bound"] = field(metadata={"help": "the form of the expectation"})

    def judge(self, samples: Samples, level: float) -> Finding:
        values = samples.of(self.arm)
        worst = values.max() if self.low is None else values.min()
        how = f"all of {values.size} values"
        found = Interval(float(worst), float(values.min()), float(values.max()), 1.0, how)
        placed = _placed(found, self.arm, self.low, self.high)
        held = OPEN if len(values) == 1 else REPRODUCED  # one seed may be a lucky one
        verdict = held if placed.verdict == REPRODUCED else NOT
        return Finding(verdict, placed.what, placed.wanted, found)


@dataclass(frozen=True)
class Equal:
    """Two arms differ by less than a stated margin (two one-sided tests)."""

    form: Literal["equal"] = field(metadata={"help": "the form of the expectation"})
    arm: str = field(metadata={"help": "the arm"})
    to: str = field(metadata={"help": "the arm that it is compared with"})
    margin: float = field(metadata={"help": "what counts as no difference", "above": 0})
    metric: Any = field(default=None, metadata={"help": "another metric than the claim's"})

    def judge(self, samples: Samples, level: float) -> Finding:
        between = samples.of(self.arm) - samples.of(self.to)  # rounding errors are small, which is asked
        found = interval(between, level, samples.grid)
        # Each of the two tests has the whole error probability, so both pass when this one lies within.
        inner = interval(between, 2 * level - 1, samples.grid)
        placed = _placed(found, f"{self.arm} - {self.to}", -self.margin, self.margin)
        same = -self.margin < inner.low and inner.high < self.margin
        return Finding(REPRODUCED if same else placed.verdict, placed.what, placed.wanted, found)


@dataclass(frozen=True)
class Crossing:
    """Over a swept quantity, one arm is on one side of another at `low`, and on its other side at `high`."""

    form: Literal["crossing"] = field(metadata={"help": "the form of the expectation"})
    arm: str = field(metadata={"help": "a swept arm"})
    than: str = field(metadata={"help": "another that is swept over the same values"})
    sign: Side = field(metadata={"help": "the first arm's side at `low`"})
    low: float = field(metadata={"help": "swept value at which it is on that side"})
    high: float = field(metadata={"help": "swept value at which it is on the other"})
    metric: Any = field(default=None, metadata={"help": "another metric than the claim's"})

    def __post_init__(self) -> None:
        if self.low >= self.high:
            raise ValueError("low must be below high")

    def judge(self, samples: Samples, level: float) -> Finding:
        x, names = samples.swept(self.arm)
        others = dict(zip(*samples.swept(self.than), strict=True))
        between = [
            difference(samples.of(name), samples.of(others[at])) for at, name in zip(x, names, strict=True)
        ]
        other: Side = "less" if self.sign == "greater" else "greater"
        verdicts = [
            _placed(
                interval(between[x.index(at)], level, samples.grid), "", *_beyond(side, 0.0), strict=True
            ).verdict
            for at, side in ((self.low, self.sign), (self.high, other))
        ]
        curves = np.stack([_seeds(one) for one in between])
        signs = np.sign(curves.mean(1))[x.index(self.low) : x.index(self.high) + 1]
        if np.count_nonzero(np.diff(signs[signs != 0])) > 1:
            verdicts.append(OPEN)  # it crosses back and forth, or too near zero to tell
        found = _crossed([_zero(x, curve) for curve in curves.T], level)
        what = f"where {self.arm} - {self.than} changes its sign"
        wanted = f"{self.sign} at {self.low:g}, {other} at {self.high:g}"
        return Finding(together(verdicts), what, wanted, found)


@dataclass(frozen=True)
class Trend:
    """Over a swept quantity, an arm rises or falls: by its slope, and at each of its steps, of which none may
    go the other way by `slack` or more."""

    form: Literal["trend"] = field(metadata={"help": "the form of the expectation"})
    arm: str = field(metadata={"help": "a swept arm"})
    sign: Literal["rising", "falling"] = field(metadata={"help": "which way it goes"})
    scale: Literal["linear", "log", "rank"] = field(
        default="rank", metadata={"help": "how the swept values are spaced for the slope"}
    )
    slack: float = field(
        default=0.0, metadata={"help": "least step the other way that speaks against it", "min": 0}
    )
    metric: Any = field(default=None, metadata={"help": "another metric than the claim's"})

    def judge(self, samples: Samples, level: float) -> Finding:
        x, names = samples.swept(self.arm)
        at = _spaced(x, self.scale)
        values = np.stack([_seeds(samples.of(name)) for name in names])
        slopes = np.array([line(at, values[:, seed]) for seed in range(values.shape[1])])
        side: Side = "greater" if self.sign == "rising" else "less"
        exact = samples.grid if samples.grid == 0 else None
        found = over_seeds(slopes, level, exact)
        placed = _placed(found, f"slope of {self.arm} ({self.scale})", *_beyond(side, 0.0), strict=True)
        verdict = self._steps(np.diff(values, axis=0), side, samples.grid, level)
        held = f"{placed.wanted}, and no step back" + (" beyond the slack" if self.slack else "")
        return Finding(together([placed.verdict, verdict]), placed.what, held, found)

    def _steps(self, steps: Values, side: Side, grid: float | None, level: float) -> Verdict:
        """On the steps `[P - 1, S]`: one that surely goes back refutes, all that surely do not reproduce."""
        region = _beyond(side, -self.slack if side == "greater" else self.slack)
        each = [_placed(over_seeds(step, level, grid), "", *region, strict=True) for step in steps]
        sure = corrected(level, len(steps))
        back = [_placed(over_seeds(step, sure, grid), "", *region).verdict == NOT for step in steps]
        return NOT if any(back) else together([REPRODUCED if f.verdict == REPRODUCED else OPEN for f in each])


Expectation = Direction | Ratio | Within | Bound | Equal | Crossing | Trend
FORMS: dict[str, type] = {
    "direction": Direction, "ratio": Ratio, "interval": Within, "bound": Bound, "equal": Equal,
    "crossing": Crossing, "trend": Trend,
}  # fmt: skip


def together(verdicts: Sequence[Verdict]) -> Verdict:
    """All must hold: one that does not is enough to refute."""
    if NOT in verdicts:
        return NOT
    return REPRODUCED if all(one == REPRODUCED for one in verdicts) else OPEN


def _placed(
    found: Interval, what: str, low: float | None, high: float | None, strict: bool = False
) -> Finding:
    """Compares an interval with the region from `low` to `high`, which is without its ends if `strict`."""
    least, most = -math.inf if low is None else low, math.inf if high is None else high
    inside = least <= found.low and found.high <= most
    outside = found.high < least or found.low > most
    if strict:
        inside = least < found.low and found.high < most
        outside = found.high <= least or found.low >= most
    verdict = REPRODUCED if inside else NOT if outside else OPEN
    return Finding(verdict, what, _said(low, high, strict), found)


def _said(low: float | None, high: float | None, strict: bool) -> str:
    if low is None or high is None:
        below, above = ("below", "above") if strict else ("at most", "at least")
        return f"{below} {high:g}" if low is None else f"{above} {low:g}"
    return f"from {low:g} to {high:g}"


def _beyond(side: Side, bound: float) -> tuple[float | None, float | None]:
    return (None, bound) if side == "less" else (bound, None)


def _refuse_empty(low: float | None, high: float | None) -> None:
    if low is None and high is None:
        raise ValueError("low or high must be given")
    if low is not None and high is not None and low > high:
        raise ValueError("low is above high")


def _spaced(x: list[float], scale: str) -> list[float]:
    if scale == "rank":
        return [float(i) for i in range(len(x))]
    return [math.log(value) for value in x] if scale == "log" else x


def _seeds(values: Values) -> Values:
    """One number for each seed."""
    return values if values.ndim == 1 else values.mean(1)


def _zero(x: Sequence[float], y: Values) -> float:
    """Where the line through the points first crosses zero, between logarithms if all `x` are positive; NaN
    where it does not."""
    at = np.log(x) if min(x) > 0 else np.asarray(x)
    for i in range(len(x) - 1):
        if y[i] * y[i + 1] <= 0 and y[i] != y[i + 1]:
            found = at[i] + (at[i + 1] - at[i]) * y[i] / (y[i] - y[i + 1])
            return float(np.exp(found) if min(x) > 0 else found)
    return math.nan


def _crossed(places: Sequence[float], level: float) -> Interval:
    """The interval of a crossing's place; without one where some seed has none."""
    if not np.isfinite(places).all():
        return Interval(math.nan, -math.inf, math.inf, level, "some seed has no crossing")
    return over_seeds(np.array(places), level)


def _exp(value: float) -> float:
    return math.exp(value) if value < 700 else math.inf
