"""A claim's file: what is claimed, by whom, which runs are compared, and what is expected of them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from runner.claim.expect import FORMS, Crossing, Expectation, Ratio, Trend, Within
from runner.claim.measure import Measure
from runner.errors import ConfigError, nearest
from runner.schema import build
from runner.settings import HOW

BUDGETS = ("smoke", "quick", "full")
ARM = re.compile(r"[A-Za-z][\w-]*")
NOT_A_CLAIMS = ("seed", "outputs", "checkpoint", "methods", "hydra", *HOW)
"""Keys that a claim's words cannot set: seeds have a key of their own, places, code and launchers are the
command's."""


@dataclass(frozen=True)
class Arm:
    """One side of a comparison: words of a run.

    Attributes:
        of: an arm whose finished run of the same seed is looked at, as by `checkpoint=`.
        sweep: one key and the numbers that it takes; each is a run of its own.
    """

    words: tuple[str, ...] = field(default=(), metadata={"help": "words of the run"})
    of: str | None = field(default=None, metadata={"help": "arm whose run is given as checkpoint"})
    sweep: dict[str, tuple[float, ...]] = field(
        default_factory=dict, metadata={"help": "one key with its values"}
    )

    def __post_init__(self) -> None:
        _refuse_words(self.words)
        if len(self.sweep) > 1:
            raise ValueError(f"sweep has {len(self.sweep)} keys; it takes one")
        _refuse_words(tuple(f"{key}=" for key in self.sweep))
        for key, values in self.sweep.items():
            if len(values) < 2 or list(values) != sorted(set(values)):
                raise ValueError(f"sweep.{key} must be two or more numbers in ascending order")

    @property
    def places(self) -> tuple[float, ...]:
        """The swept values; empty where nothing is swept."""
        return next(iter(self.sweep.values()), ())


@dataclass(frozen=True)
class Level:
    """What a budget changes: words for all arms, and seeds; or why the claim is not run at it."""

    words: tuple[str, ...] = field(default=(), metadata={"help": "words added to every arm"})
    seeds: tuple[int, ...] | None = field(default=None, metadata={"help": "other seeds", "min": 0})
    needs: str | None = field(default=None, metadata={"help": "what the claim needs that the budget has not"})

    def __post_init__(self) -> None:
        _refuse_words(self.words)
        if self.seeds is not None:
            refuse_seeds(self.seeds)


@dataclass(frozen=True)
class Published:
    """A number that the paper prints."""

    what: str = field(metadata={"help": "what it is"})
    value: float | str = field(metadata={"help": "the number, as printed"})
    where: str = field(metadata={"help": "table, figure or section"})


@dataclass(frozen=True)
class _File:
    """The keys of a claim's file."""

    claim: str = field(metadata={"help": "the claim, in our words"})
    source: str = field(metadata={"help": "paper and section"})
    arms: dict[str, Any] = field(metadata={"help": "the runs that are compared: words, or words, of, sweep"})
    metric: Any = field(
        metadata={"help": "what is compared: a name, or name and at, reach, area, last or items"}
    )
    expect: tuple[Any, ...] = field(metadata={"help": "what must hold of it, all of it"})
    base: tuple[str, ...] = field(default=(), metadata={"help": "words of every arm"})
    seeds: tuple[int, ...] = field(default=(1, 2, 3), metadata={"help": "seeds of every arm", "min": 0})
    paper: tuple[Published, ...] = field(default=(), metadata={"help": "published numbers"})
    budgets: dict[str, Level] = field(default_factory=dict, metadata={"help": "smoke, quick and full"})
    alone: bool = field(
        default=False, metadata={"help": "whether nothing else may run beside what is measured"}
    )
    notes: str | None = field(default=None, metadata={"help": "what was tuned, and what to know"})

    def __post_init__(self) -> None:
        _refuse_words(self.base)
        refuse_seeds(self.seeds)
        for name in self.budgets:
            if name not in BUDGETS:
                raise ValueError(f"budgets.{name} is no budget{nearest(name, BUDGETS)}")
        if not self.arms or not self.expect:
            raise ValueError("arms and expect must not be empty")


@dataclass(frozen=True)
class Claim:
    """A claim and the experiment that tests it.

    Attributes:
        name: `<paper>/<name>`, from its place below `conf/claim/`.
        file: its file, as messages name it.
        claim, source, paper, notes, alone: as the file says.
        lacks: why it is not run at this budget; None where it is.
        words: words of every arm, those of the budget last.
        arms: by name.
        seeds: of every arm.
        measures: one for each expectation.
        expectations: all must hold.
    """

    name: str
    file: str
    claim: str
    source: str
    words: tuple[str, ...]
    arms: dict[str, Arm]
    seeds: tuple[int, ...]
    measures: tuple[Measure, ...]
    expectations: tuple[Expectation, ...]
    paper: tuple[Published, ...] = ()
    alone: bool = False
    notes: str | None = None
    lacks: str | None = None

    @property
    def asked(self) -> str:
        """Hash of what is claimed and how it is tested, at its budget; without its seeds."""
        parts = [*self.arms.values(), *self.measures, *self.expectations]
        told = [self.name, self.claim, self.words, self.alone, list(self.arms), [_told(one) for one in parts]]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def _told(value: Any) -> dict[str, Any]:
    """What a part of a claim says beyond its defaults, so that a new key changes no claim without it."""
    said = {one.name: getattr(value, one.name) for one in fields(value) if one.name != "metric"}
    defaults = {one.name: one.default for one in fields(value)}
    return {name: item for name, item in said.items() if item != defaults[name]}


def claim_of(node: Any, name: str, file: str, budget: str) -> Claim:
    """The claim that a file's content describes, at a budget; raises `ConfigError`."""
    found = build(_File, node, "", file)
    arms = {arm: _arm(arm, value, file) for arm, value in found.arms.items()}
    measure = _measure(found.metric, "metric", file)
    level = found.budgets.get(budget, Level())
    expectations = [_expectation(one, i, file) for i, one in enumerate(found.expect)]
    measures = [
        measure if one.metric is None else _measure(one.metric, f"expect[{i}].metric", file)
        for i, one in enumerate(expectations)
    ]
    claim = Claim(
        name, file, " ".join(found.claim.split()), found.source, (*found.base, *level.words), arms,
        level.seeds or found.seeds, tuple(measures), tuple(expectations), found.paper, found.alone,
        found.notes, None if level.needs is None else f"needs {level.needs}",
    )  # fmt: skip
    try:
        for arm_name, arm in arms.items():
            _refuse_arm(arm_name, arm, arms)
        for expectation, its in zip(expectations, measures, strict=True):
            _refuse_form(expectation, its, arms)
            if its.name == "seconds" and not found.alone:
                raise ValueError("metric seconds needs alone: true; what has company takes longer")
    except ValueError as error:
        raise ConfigError(f"{error} (see {file})") from None
    return claim


def _arm(name: str, value: Any, file: str) -> Arm:
    node = value if isinstance(value, Mapping) else {"words": value}
    return build(Arm, node, f"arms.{name}", file)


def _measure(value: Any, path: str, file: str) -> Measure:
    node = value if isinstance(value, Mapping) else {"name": value}
    return build(Measure, node, path, file)


def _expectation(node: Any, number: int, file: str) -> Expectation:
    form = node.get("form") if isinstance(node, Mapping) else None
    if form not in FORMS:
        raise ConfigError(
            f"expect[{number}].form={form} is not known{nearest(str(form), FORMS)} (see {file})"
        )
    found: Expectation = build(FORMS[form], node, f"expect[{number}]", file)
    return found


def _refuse_words(words: tuple[str, ...]) -> None:
    for word in words:
        key = word.lstrip("+~").partition("=")[0]
        if key.split(".")[0].split("/")[0] in NOT_A_CLAIMS:
            raise ValueError(f"{word.rstrip('=')} is not a claim's to say")


def refuse_seeds(seeds: tuple[int, ...]) -> None:
    """Raises ValueError for seeds that are none, or one of them twice."""
    twice = sorted({seed for seed in seeds if seeds.count(seed) > 1})
    if twice:
        raise ValueError(f"seeds lists {twice[0]} twice")
    if not seeds:
        raise ValueError("seeds is empty")


def _refuse_arm(name: str, arm: Arm, arms: Mapping[str, Arm]) -> None:
    if not ARM.fullmatch(name):
        raise ValueError(f"arms.{name}: a name begins with a letter and has letters, digits, _ and -")
    if arm.of is None:
        return
    if arm.of not in arms:
        raise ValueError(f"arms.{name}.of={arm.of} is no arm{nearest(arm.of, arms)}")
    if arms[arm.of].of is not None or arms[arm.of].sweep:
        raise ValueError(f"arms.{name}.of={arm.of} is itself no plain run")


def named(expectation: Expectation) -> list[str]:
    """The arms of an expectation."""
    return list(_roles(expectation).values())


def _roles(expectation: Expectation) -> dict[str, str]:
    return {
        key: name for key in ("arm", "than", "to") if (name := getattr(expectation, key, None)) is not None
    }


def _sweep(arm: Arm) -> tuple[tuple[str, tuple[float, ...]], ...]:
    return tuple(arm.sweep.items())


def _refuse_form(expectation: Expectation, measure: Measure, arms: Mapping[str, Arm]) -> None:
    """Raises ValueError where an expectation does not go with its arms or its metric."""
    form = expectation.form
    for key, name in _roles(expectation).items():
        if name not in arms:
            raise ValueError(f"expect: {key}={name} is no arm{nearest(name, arms)}")
        curve = isinstance(expectation, (Crossing, Trend)) or measure.sweeps
        if curve != bool(arms[name].sweep):
            needs = "a swept arm" if curve else "an arm that is not swept, or a metric over what is swept"
            raise ValueError(f"expect: form {form} with metric {measure.said} takes {needs}, not {name}")
    if isinstance(expectation, (Crossing, Trend)) and measure.sweeps:
        raise ValueError(f"expect: form {form} takes the metric itself, not its {measure.said}")
    if measure.sweeps and len({_sweep(arms[name]) for name in named(expectation)}) > 1:
        raise ValueError(f"expect: {measure.said} is compared over the same values of one key only")
    if measure.spread and isinstance(expectation, Within) and expectation.low is not None:
        raise ValueError("expect: noise alone makes a spread, so low says nothing; compare it with an arm's")
    if measure.items and isinstance(expectation, Ratio):
        raise ValueError("expect: form ratio takes one number for each run, not one for each item")
    if (
        isinstance(expectation, Trend)
        and expectation.scale == "log"
        and min(arms[expectation.arm].places) <= 0
    ):
        raise ValueError("expect: scale log takes swept values above 0")
    if measure.slope == "log" and min(arms[expectation.arm].places) <= 0:
        raise ValueError("metric: slope log takes swept values above 0")
    if isinstance(expectation, Crossing):
        places = arms[expectation.arm].places
        if _sweep(arms[expectation.than]) != _sweep(arms[expectation.arm]):
            raise ValueError(
                "expect: form crossing takes two arms that are swept over the same values of one key"
            )
        for end in (expectation.low, expectation.high):
            if end not in places:
                raise ValueError(f"expect: {end:g} is none of the swept values")
    first, other = expectation.arm, getattr(expectation, "than", getattr(expectation, "to", None))
    if first == other:
        raise ValueError(f"expect: {first} is compared with itself")
