"""What the runs of a claim come to: findings, a verdict, and why."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from runner import folder
from runner.claim.expect import OPEN, REPRODUCED, Bound, Direction, Expectation, Finding, Samples, together
from runner.claim.measure import Measure
from runner.claim.plan import Need, Plan, swept
from runner.claim.runs import is_resumed
from runner.claim.settings import named
from runner.claim.statistics import Values, corrected
from runner.errors import ConfigError
from runner.identity.parts import NO_RESULT
from runner.settings import flat
from runner.sweep.ledger import Ended, Ledger

LEVEL = 0.95
NOT_RUN = "not run"


@dataclass(frozen=True)
class Judged:
    """A claim with its verdict.

    Attributes:
        verdict: reproduced, not reproduced, inconclusive or not run.
        why: what is missing, of a claim that was not run; empty otherwise.
        failed: whether an arm failed to run; False where only data is missing.
        findings: one for each expectation.
        values: of each arm and metric the number of each seed (of items, their mean).
        seconds: what its runs took, in all.
    """

    plan: Plan
    verdict: str
    why: str = ""
    failed: bool = False
    findings: tuple[Finding, ...] = ()
    values: Mapping[str, Mapping[str, list[float]]] = field(default_factory=dict)
    seconds: float = 0.0


def judged(plan: Plan, home: Path, lacking: str | None = None) -> Judged:
    """The verdict on a claim from the runs in `home`.

    Arguments:
        lacking: what this machine has not that its runs need; they were not begun.
    """
    ledger = Ledger(home)
    states = {key: _state(need, home, ledger) for key, need in plan.needs.items()}
    ledger.close()
    seconds = sum(state.seconds for state in states.values())
    bad = {key: state for key, state in states.items() if state.status != "completed"}
    if bad and lacking is not None:
        return Judged(plan, NOT_RUN, lacking, seconds=seconds)
    if bad:
        # The first failure says most: what looks at a run that failed was not begun.
        (arm, seed), state = min(bad.items(), key=lambda item: item[1].status != "failed")
        why = f"arm {arm}, seed {seed}: {state.error or state.status}"
        return Judged(plan, NOT_RUN, why, failed=True, seconds=seconds)
    try:
        return _measured(plan, home, seconds)
    except (ConfigError, ValueError) as error:
        return Judged(plan, NOT_RUN, str(error), failed=True, seconds=seconds)


def _state(need: Need, home: Path, ledger: Ledger) -> Ended:
    """How a run stands; one whose folder holds another run, or whose time is not its own, failed."""
    state, place = ledger.state(need.name), home / need.name
    if state.status != "completed":
        return state
    if not _is_its_own(need, place):
        return Ended("failed", f"{place} is the folder of another run", seconds=state.seconds)
    if need.alone and is_resumed(place):
        said = f"{place} was interrupted, so its time says nothing; the same command runs it again"
        return Ended("failed", said, seconds=state.seconds)
    return state


def _measured(plan: Plan, home: Path, seconds: float) -> Judged:
    claim = plan.claim
    chances = sum(not isinstance(one, Bound) for one in claim.expectations)
    level = corrected(LEVEL, max(1, chances))
    findings, values = [], dict[str, dict[str, list[float]]]()
    for expectation, measure in zip(claim.expectations, claim.measures, strict=True):
        table = _table(plan, measure, home)
        _refuse_unlike(expectation, measure, table)
        grid = measure.grid(home / need.name for (arm, _), need in plan.needs.items() if arm in table)
        judged_by_values = expectation.judge(_samples(plan, measure, table, grid), level)
        findings.append(_doubted(judged_by_values, expectation, _never(plan, measure, home)))
        for arm, found in table.items():
            means = found if found.ndim == 1 else found.mean(1)
            values.setdefault(arm, {})[measure.plain] = means.tolist()
    return Judged(
        plan,
        together([finding.verdict for finding in findings]),
        findings=tuple(findings),
        values=values,
        seconds=seconds,
    )


def _table(plan: Plan, measure: Measure, home: Path) -> dict[str, Values]:
    """`[S]` or `[S, I]` for each arm that has the metric; raises `ConfigError` where one that needs it lacks
    it."""
    needed = {
        name
        for one, its in zip(plan.claim.expectations, plan.claim.measures, strict=True)
        for name in named(one)
        if its == measure
    }
    found: dict[str, Values] = {}
    for arm in dict.fromkeys(label for label, _ in plan.needs):
        if arm.partition("@")[0] not in needed:
            continue
        rows = [measure.of(home / plan.needs[arm, seed].name) for seed in plan.claim.seeds]
        if len({len(row) for row in rows}) > 1:
            raise ConfigError(f"arm {arm} has another number of items for each seed")
        table = np.stack(rows)
        if not np.isfinite(table).all():
            raise ConfigError(f"arm {arm}: {measure.said} is no finite number")
        found[arm] = table if measure.items else table[:, 0]
    return found


def _refuse_unlike(expectation: Expectation, measure: Measure, table: Mapping[str, Values]) -> None:
    """Raises `ConfigError` where arms that are compared have other items."""
    names = named(expectation)
    shapes = {values.shape for arm, values in table.items() if arm.partition("@")[0] in names}
    if len(shapes) > 1:
        raise ConfigError(f"{measure.said} has another number of items in each arm")


def _is_its_own(need: Need, place: Path) -> bool:
    """Whether the run in a folder has the settings of `need`, whose words may be another claim's.

    Its result must say the same as its configuration: either may have been copied from another folder.
    """
    try:
        config, choices, overrides = folder.read_config(place)
        result = folder.read_result(place) or {}
    except ConfigError:
        return False
    said = {**choices, "task": config.get("task"), "seed": config.get("seed"), "overrides": list(overrides)}
    if any(result.get(key) != said.get(key) for key in ("method", "dataset", "task", "seed", "overrides")):
        return False
    if need.parent is not None:  # its other settings are those of the run that it looked at
        words = {word.lstrip("+") for word in need.words}
        return Path(str(config.get("checkpoint"))).name == need.parent.name and words <= set(overrides)
    return _settings(config, choices) == _settings(need.composed.config, need.composed.choices)


def _settings(config: dict[str, Any], choices: Mapping[str, str]) -> dict[str, Any]:
    named = {group: choices.get(group) for group in ("method", "dataset")}
    kept = {key: value for key, value in flat(config).items() if key not in NO_RESULT}
    return {**named, **kept}


def _never(plan: Plan, measure: Measure, home: Path) -> dict[str, int]:
    """How many runs of each arm never came to the level of a `reach`."""
    if measure.reach is None:
        return {}
    found: dict[str, int] = {}
    for (label, _), need in plan.needs.items():
        try:
            missed = not measure.reached(home / need.name)
        except ConfigError:  # an arm without this curve
            continue
        if missed:
            arm = label.partition("@")[0]
            found[arm] = found.get(arm, 0) + 1
    return found


def _doubted(found: Finding, expectation: Expectation, never: Mapping[str, int]) -> Finding:
    """A finding that rests on runs which never came to a level, and so took longer than the number says.

    That number is too small, which a comparison can bear whose other side is the smaller; nothing else can.
    """
    bears = None
    if isinstance(expectation, Direction):
        bears = expectation.than if expectation.sign == "less" else expectation.arm
    missed = {arm: count for arm, count in never.items() if arm in named(expectation)}
    if not missed:
        return found
    said = ", ".join(f"{count} of {arm} never came there" for arm, count in missed.items())
    interval = replace(found.interval, how=f"{found.interval.how}; {said}")
    verdict = found.verdict if found.verdict == REPRODUCED and set(missed) == {bears} else OPEN
    return replace(found, interval=interval, verdict=verdict)


def _samples(plan: Plan, measure: Measure, table: Mapping[str, Values], grid: float | None) -> Samples:
    def places(arm: str) -> tuple[list[float], list[str]]:
        values = list(plan.claim.arms[arm].places)
        return values, [swept(arm, value) for value in values]

    def read(arm: str) -> Values:
        if not measure.sweeps or arm in table:
            return table[arm]
        x, names = places(arm)
        curves = np.stack([table[name] for name in names])
        return np.array([measure.over(x, curves[:, seed]) for seed in range(curves.shape[1])])

    return Samples(read, places, grid)


def as_json(found: Finding) -> dict[str, Any]:
    """A finding as plain values; null for an end that is infinite or not known."""
    interval = found.interval
    numbers = {"estimate": interval.estimate, "low": interval.low, "high": interval.high}
    return {
        "what": found.what,
        "wanted": found.wanted,
        **{name: value if math.isfinite(value) else None for name, value in numbers.items()},
        "level": interval.level,
        "how": interval.how,
        "verdict": found.verdict,
    }
