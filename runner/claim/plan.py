"""The runs that claims need, each known by what it computes, so that claims share it and it is run once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from runner.claim.expect import Bound, Expectation
from runner.claim.measure import Measure
from runner.claim.settings import Arm, Claim, named
from runner.compose import Composed, Composer
from runner.errors import ConfigError, nearest
from runner.identity.parts import identity
from runner.sweep.plan import Job
from runner.verbs.evaluate import from_checkpoint

ONE_THREAD = "threads=1"
"""Unless a claim says otherwise, so that a verdict does not depend on how many run at a time."""


@dataclass(frozen=True)
class Need:
    """One run.

    Attributes:
        id: hash of what it computes.
        words: its own words.
        composed: its configuration, checked; of a look at another run, that run's with these words.
        parent: the run that it looks at.
        alone: whether nothing else may run meanwhile.
        label: what a person reads: claim, arm and seed; of a run that claims share, the first's.
    """

    id: str
    words: tuple[str, ...]
    composed: Composed
    parent: Need | None
    alone: bool
    label: str

    @property
    def name(self) -> str:
        """Its folder, below that of all claims."""
        return f"{self.composed.choices['method']}-{self.composed.choices['dataset']}-{self.id}"

    def job(self, composer: Composer, home: Path) -> Job:
        """The job that runs it; its parent must be completed."""
        if self.parent is None:
            return Job(
                self.name, self.id, self.composed.config, self.composed.choices, self.composed.overrides
            )
        path = str((home / self.parent.name).resolve()).replace("'", "\\'")
        composed = from_checkpoint(composer, [f"checkpoint='{path}'", *self.words])
        assert composed is not None
        return Job(self.name, self.id, composed.config, composed.choices, composed.overrides)


@dataclass(frozen=True)
class Plan:
    """A claim and its runs, by arm and seed; a swept arm stands once for each value."""

    claim: Claim
    needs: dict[tuple[str, int], Need]


def swept(arm: str, value: float) -> str:
    """The name of a swept arm at one value."""
    return f"{arm}@{_number(value)}"


def plan_of(claim: Claim, composer: Composer, words: Sequence[str]) -> Plan:
    """The runs of a claim; raises `ConfigError` for what cannot be run, before anything is.

    Arguments:
        words: those of the command for all runs, such as `device=cuda`.
    """
    try:
        return _planned(claim, composer, words)
    except ConfigError as error:
        raise ConfigError(f"claim {claim.name} ({claim.file}): {error}") from None


def _planned(claim: Claim, composer: Composer, words: Sequence[str]) -> Plan:
    common = [ONE_THREAD, *claim.words, *words]
    needs: dict[tuple[str, int], Need] = {}
    measured = {name for one in claim.expectations for name in named(one)}
    for name, arm in sorted(claim.arms.items(), key=lambda item: item[1].of is not None):
        for label, own in _expanded(name, arm):
            for seed in claim.seeds:
                parent = needs[arm.of, seed] if arm.of is not None else None
                title = f"{claim.name}, {label}, seed {seed}"
                needs[label, seed] = _need(
                    composer, common, own, seed, parent, claim.alone and name in measured, title
                )
    _refuse_metrics(claim, needs)
    _refuse_same(claim, needs)
    return Plan(claim, needs)


def _expanded(name: str, arm: Arm) -> list[tuple[str, tuple[str, ...]]]:
    if not arm.sweep:
        return [(name, arm.words)]
    ((key, values),) = arm.sweep.items()
    return [(swept(name, value), (*arm.words, f"{key}={_number(value)}")) for value in values]


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)


def _need(
    composer: Composer,
    common: Sequence[str],
    own: tuple[str, ...],
    seed: int,
    parent: Need | None,
    alone: bool,
    label: str,
) -> Need:
    if parent is None:
        words = (*common, *own, f"seed={seed}")
        composed = composer.compose(_last(words))
        return Need(_apart(identity(composed), alone), words, composed, None, alone, label)
    tasks = [word for word in own if word.startswith("task=")]
    composed = composer.compose(_last((*parent.words, *(word for word in own if word not in tasks))))
    task = tasks[-1].removeprefix("task=") if tasks else ""
    if task not in composed.method.entry.tasks or task == "train":
        known = [one for one in composed.method.entry.tasks if one != "train"]
        raise ConfigError(f"an arm with `of` needs task=NAME{nearest(task, known)}")
    made = hashlib.sha256(json.dumps([parent.id, identity(composed), task]).encode()).hexdigest()[:16]
    return Need(_apart(made, alone), own, composed, parent, alone, label)


def _apart(found: str, alone: bool) -> str:
    """Another id for what must run alone: a run that had company does not count as one."""
    return hashlib.sha256(f"{found} alone".encode()).hexdigest()[:16] if alone else found


def _last(words: Sequence[str]) -> list[str]:
    """Of words that set one key, the last."""
    kept = {word.lstrip("+").partition("=")[0]: word for word in words}
    return list(kept.values())


def _refuse_metrics(claim: Claim, needs: dict[tuple[str, int], Need]) -> None:
    """Raises `ConfigError` for a metric that a method does not report, as far as it says which it does."""
    for expectation, measure in zip(claim.expectations, claim.measures, strict=True):
        names = named(expectation)
        for (label, _), need in needs.items():
            if label.partition("@")[0] in names:
                _refuse_metric(expectation, measure, label, need)


def _refuse_metric(expectation: Expectation, measure: Measure, label: str, need: Need) -> None:
    known, trains = need.composed.method.entry.metrics, _task(need) == "train"
    if known and not measure.is_of_run and not any(fnmatchcase(measure.name, one) for one in known):
        raise ConfigError(f"metric {measure.name} is none of the method's{nearest(measure.name, known)}")
    if measure.items and trains:
        raise ConfigError(f"metric {measure.name}: arm {label} is trained, which keeps no values for items")
    if isinstance(expectation, Bound) and trains and measure.name != "parameters":
        raise ConfigError(
            f"form bound is for what is exact, and {measure.said} of arm {label}, which is trained, is not; "
            "form interval is for that"
        )
    steps, last = need.composed.root.trainer.steps, measure.last_step
    if trains and steps is not None and last is not None and measure.stage is None and last > steps:
        raise ConfigError(
            f"metric {measure.said}: arm {label} has {steps:,} steps{_said_by(need, 'trainer.steps')}"
        )


def _task(need: Need) -> str:
    tasks = [word.removeprefix("task=") for word in need.words if word.startswith("task=")]
    return tasks[-1] if tasks else "train"


def _said_by(need: Need, key: str) -> str:
    said = [word for word in need.words if word.startswith(f"{key}=")]
    return f" ({said[-1]})" if said else ""


def _refuse_same(claim: Claim, needs: dict[tuple[str, int], Need]) -> None:
    """Raises `ConfigError` where two arms that are compared are one run: that they agree says nothing; so are
    two places of a swept arm that its key does not change."""
    seed = claim.seeds[0]
    for name, arm in claim.arms.items():
        ids = {needs[swept(name, place), seed].id: place for place in arm.places}
        if len(ids) < len(arm.places):
            raise ConfigError(f"arms.{name}.sweep: {next(iter(arm.sweep))} changes nothing of the runs")
    for expectation in claim.expectations:
        other = getattr(expectation, "than", getattr(expectation, "to", None))
        labels = [label for label, _ in needs if label.partition("@")[0] == expectation.arm]
        for label in labels if other is not None else ():
            twin = label.replace(expectation.arm, str(other), 1)
            if (twin, seed) in needs and needs[label, seed].id == needs[twin, seed].id:
                raise ConfigError(f"arms {label} and {twin} are the same run; their words must differ")
