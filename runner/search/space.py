"""What is searched over, read from the words of the command; in the syntax of Hydra and its Optuna plugin."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from hydra.core.override_parser.types import (
    ChoiceSweep,
    IntervalSweep,
    Override,
    Quote,
    QuotedString,
    RangeSweep,
)

from runner.compose import normalise, parse
from runner.errors import ConfigError

NOT_A_TRIALS = re.compile(r"[+~]*(hydra|sweeper|sweep|launcher|methods|outputs)\b")
"""Keys that say where and how all trials run, so that none of them can have its own."""
MOST_VALUES = 1_000_000
MOST_WHOLE = 2**53
"""Optuna keeps numbers as floats."""


@dataclass(frozen=True)
class Choices:
    """`a,b` or `choice(a,b)`: the texts after `key=`, each as Hydra wants it."""

    texts: tuple[str, ...]

    @property
    def count(self) -> int:
        return len(self.texts)

    def __getitem__(self, index: int) -> str:
        return self.texts[index]

    def text(self, value: object) -> str:
        """The text after `key=` of a value."""
        return str(value)

    def __str__(self) -> str:
        return ",".join(self.texts)


@dataclass(frozen=True)
class Steps:
    """`range(start,stop,step)`: numbers at equal distances, whole ones if `first` and `step` are.

    As everywhere in Hydra, `stop` is not among them. They are counted in decimals: the values of
    `range(0,1,0.1)` are those that one writes.
    """

    first: float
    step: float
    count: int

    def __getitem__(self, index: int) -> float:
        if isinstance(self.first, int) and isinstance(self.step, int):
            return self.first + index * self.step
        return float(_decimal(self.first) + index * _decimal(self.step))

    def text(self, value: float) -> str:
        """The text after `key=` of a value."""
        return repr(self[round((value - self.first) / self.step)])

    def __str__(self) -> str:
        return f"range({self.first},{self[self.count]},{self.step})"


@dataclass(frozen=True)
class Interval:
    """`interval(low,high)`: numbers between two ends, both possible; whole ones if the ends are.

    `log` says that orders of magnitude are equally likely instead of values.
    """

    low: float
    high: float
    log: bool

    @property
    def whole(self) -> bool:
        return isinstance(self.low, int)

    def text(self, value: float) -> str:
        """The text after `key=` of a value, which reads as exactly that value."""
        return repr(int(value) if self.whole else float(value))

    def __str__(self) -> str:
        ends = f"interval({self.low},{self.high})"
        cast = f"int({ends})" if self.whole else ends
        return f"tag(log,{cast})" if self.log else cast


Dimension = Choices | Steps | Interval


@dataclass(frozen=True)
class Space:
    """The keys of the command in its order, each with its fixed word or with what is searched over."""

    entries: dict[str, str | Dimension]

    @property
    def dimensions(self) -> dict[str, Dimension]:
        """What is searched over, by key; sorted, so that the order of the words changes no trial."""
        return {k: v for k, v in sorted(self.entries.items()) if not isinstance(v, str)}

    @property
    def fixed(self) -> tuple[str, ...]:
        """The words that all trials have."""
        return tuple(entry for entry in self.entries.values() if isinstance(entry, str))

    @property
    def size(self) -> int | None:
        """How many combinations there are; None if an interval is among them."""
        finite = [d for d in self.dimensions.values() if not isinstance(d, Interval)]
        return math.prod(d.count for d in finite) if len(finite) == len(self.dimensions) else None

    def words(self, values: Mapping[str, object]) -> tuple[str, ...]:
        """The words of the keys that are searched, in the command's order."""
        return tuple(
            f"{key}={_text(entry, values[key])}"
            for key, entry in self.entries.items()
            if not isinstance(entry, str)
        )

    def job(self, values: Mapping[str, object]) -> tuple[str, ...]:
        """All words of a trial, in the command's order."""
        return tuple(
            entry if isinstance(entry, str) else f"{key}={_text(entry, values[key])}"
            for key, entry in self.entries.items()
        )

    def combination(self, index: int) -> dict[str, str | float]:
        """One combination of a space that has no interval; `index` is below `size`."""
        values: dict[str, str | float] = {}
        for key, dimension in self.dimensions.items():
            assert not isinstance(dimension, Interval)
            index, digit = divmod(index, dimension.count)
            values[key] = dimension[digit]
        return values

    def probes(self) -> Iterator[tuple[str, ...]]:
        """A few jobs in which each choice and each end of a range occurs, to be checked beforehand."""
        ends = {key: _ends(dimension) for key, dimension in self.dimensions.items()}
        for i in range(max(map(len, ends.values()))):
            yield self.job({key: values[min(i, len(values) - 1)] for key, values in ends.items()})


def _text(dimension: Dimension, value: object) -> str:
    text: Callable[..., str] = dimension.text
    return text(value)


def _ends(dimension: Dimension) -> Sequence[str | float]:
    if isinstance(dimension, Choices):
        return dimension.texts
    if isinstance(dimension, Steps):
        return dimension[0], dimension[dimension.count - 1]
    return dimension.low, dimension.high


def read_space(overrides: Sequence[Override], sampler: str = "tpe") -> Space:
    """The space that the overrides of a command span; of words with the same key the last counts.

    Raises `ConfigError` where there is nothing to search, or for a range that cannot be searched.
    """
    space = Space({str(one.get_key_element()): _entry(one) for one in overrides})
    if not space.dimensions:
        raise ConfigError(
            "sweeper=optuna has nothing to search; give a key values to choose from, as in "
            f"{_example('method.lr')} or method.lr=1e-3,1e-4"
        )
    for key, dimension in space.dimensions.items():
        if sampler == "grid" and isinstance(dimension, Interval):
            raise ConfigError(
                f"{key}: sweeper.sampler=grid cannot try every value of an interval; "
                f"write {key}=1,2,3 or {key}='range(1,4)', or take sweeper.sampler=tpe"
            )
    return space


def _example(key: str) -> str:
    return f"{key}='tag(log,interval(1e-5,1e-2))'"


def _entry(override: Override) -> str | Dimension:
    if not override.is_sweep_override():
        return normalise([override])[0]
    key = str(override.get_key_element())
    if NOT_A_TRIALS.match(key):
        raise ConfigError(f"{key} is the same for all trials; a search is over keys such as method.lr")
    dimension = _dimension(key, override)
    if isinstance(dimension, Interval) or dimension.count > 1:
        return dimension
    return f"{key}={_text(dimension, dimension[0])}"


def _dimension(key: str, override: Override) -> Dimension:
    sweep = override.value()
    if isinstance(sweep, IntervalSweep):
        return _interval(key, sweep)
    if not isinstance(sweep, (ChoiceSweep, RangeSweep)):
        raise ConfigError(f"{key}: a search does not read glob(...); name the values, as in {key}=a,b")
    if sweep.shuffle:
        raise ConfigError(f"{key}: a search has its own order and does not read shuffle(...): leave it out")
    if sweep.tags:
        raise ConfigError(f"{key}: tag(...) belongs to an interval, as in {_example(key)}")
    return _steps(key, sweep) if isinstance(sweep, RangeSweep) else _choices(key, override)


def _interval(key: str, sweep: IntervalSweep) -> Interval:
    low, high = _given(sweep.start), _given(sweep.end)
    said, log, example = f"interval({low},{high})", "log" in sweep.tags, f"as in {_example(key)}"
    if unknown := sorted(sweep.tags - {"log"}):
        raise ConfigError(f"{key}: tag({unknown[0]},...) is not known, only log is, {example}")
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ConfigError(f"{key}: {said} has no end; give two numbers, {example}")
    if low >= high:
        raise ConfigError(f"{key}: {said} is empty; the smaller end comes first, {example}")
    if log and low <= 0:
        raise ConfigError(f"{key}: {said} has no logarithms; both ends are above 0, {example}")
    return Interval(_exact(key, low), _exact(key, high), log)


def _steps(key: str, sweep: RangeSweep) -> Steps:
    start, stop, step = _given(sweep.start), _given(sweep.stop), sweep.step
    said = f"range({start},{stop},{step})"
    if not all(map(math.isfinite, (start, stop, step))) or (stop - start) * step <= 0:
        raise ConfigError(f"{key}: {said} holds no values; write it as in {key}='range(1,4)'")
    if abs(step) < math.ulp(max(abs(start), abs(stop))):
        raise ConfigError(f"{key}: the values of {said} are too close to differ; take a larger step")
    count = math.ceil((_decimal(stop) - _decimal(start)) / _decimal(step))
    if count > MOST_VALUES:
        raise ConfigError(f"{key}: {said} holds more than a million values; write {key}='interval(0,1)'")
    if not all(isinstance(number, int) for number in (start, stop, step)):
        start = float(start)
    _exact(key, stop)
    return Steps(_exact(key, start), step, count)


def _given(number: float | None) -> float:
    assert number is not None
    return number


def _exact(key: str, number: float) -> float:
    """The number, unless it is whole and too large to be stored as one."""
    if isinstance(number, int) and abs(number) > MOST_WHOLE:
        raise ConfigError(f"{key}: {number} is too large to search over; whole numbers go up to 2^53")
    return number


def _decimal(number: float) -> Decimal:
    """The number as it is written: 0.1 is a tenth."""
    return Decimal(repr(number))


def _choices(key: str, override: Override) -> Choices:
    pairs = zip(override.sweep_iterator(), override.sweep_string_iterator(), strict=True)
    return Choices(tuple(dict.fromkeys(_choice(key, element, text) for element, text in pairs)))


def _choice(key: str, element: object, text: str) -> str:
    """The text of one choice; quoted where it would be read as something else, as the text `1` is."""
    if isinstance(element, str) and not (text and _reads_as(key, text, element)):
        text = QuotedString(element, Quote.single).with_quotes()
    return normalise(parse([f"{key}={text}"]))[0].partition("=")[2]


def _reads_as(key: str, text: str, element: str) -> bool:
    try:
        return bool(parse([f"{key}={text}"])[0].value() == element)
    except ConfigError:
        return False
