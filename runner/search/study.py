"""A search by Optuna, kept in one SQLite file: what to try next, what became of each trial, which is best.

The file is opened for each access and closed again, so that a process forked in between inherits nothing of
it. It keeps SQLite's rollback journal: with one process that writes, the write-ahead log gains nothing, and
it would not work where the folder lies on a network. A trial is written whole, in one transaction, so a kill
leaves none without its values.
"""

from __future__ import annotations

import hashlib
import logging
import math
import random
import sqlite3
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.errors import ConfigError
from runner.search.settings import SearchSettings
from runner.search.space import Choices, Dimension, Interval, Space

try:
    import optuna
    from optuna.distributions import (
        BaseDistribution,
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
    from optuna.pruners import BasePruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
    from optuna.samplers import BaseSampler, RandomSampler, TPESampler
    from optuna.storages import RDBStorage
    from optuna.study import StudyDirection
    from optuna.trial import FrozenTrial, TrialState, create_trial
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.pool import NullPool
except ImportError:
    raise ConfigError(
        "sweeper=optuna needs optuna: pip install -e '.[search]' in the project's folder"
    ) from None

optuna.logging.set_verbosity(optuna.logging.WARNING)
logging.getLogger("alembic").setLevel(logging.WARNING)

FILE = "search.db"
STUDY = "search"
ABOUT, ERROR, CUT = "about", "error", "cut"
"""Attributes: what the study is about; a failed trial's error; the step at which a trial was to be pruned."""
WAIT_SECONDS = 60.0
"""How long to wait for somebody who reads the file, such as a dashboard."""
STATES = {
    "unfinished": TrialState.RUNNING,
    "completed": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}
NAMES = {state: name for name, state in STATES.items()}


@dataclass(frozen=True)
class Trial:
    """One job of a search.

    Attributes:
        number: counts from 0 in the order in which trials were begun.
        words: the words of the keys that are searched.
        job: all words of the job, in the command's order.
    """

    number: int
    words: tuple[str, ...]
    job: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name of its folder."""
        return f"trial-{self.number:04d}"


@dataclass(frozen=True)
class Record:
    """A trial and what became of it.

    Attributes:
        state: unfinished, completed, pruned or failed.
        value: what a completed trial came to; of others the last value that was reported, if any.
        values: what was chosen for each key that is searched, choices as their words.
        error: why it failed; empty otherwise.
    """

    trial: Trial
    state: str
    value: float | None
    values: dict[str, Any]
    error: str


class Search:
    """The search of one sweep, new or taken up; only the sweep's own process may use it.

    Arguments:
        home: the sweep's folder, in which `search.db` lies.
        space: what is searched over.
        metric, minimise: what trials are judged by, and whether smaller is better.

    Raises:
        ConfigError: the search in `home` is another one, or its file cannot be read.
    """

    def __init__(
        self, home: Path, space: Space, settings: SearchSettings, metric: str, minimise: bool
    ) -> None:
        self.home, self.space, self.settings = home, space, settings
        self.metric, self.minimise = metric, minimise
        self._distributions = {key: distribution(d) for key, d in space.dimensions.items()}
        self._pruner = pruner(settings)
        self._storage = _storage((home / FILE).resolve())
        self._direction = StudyDirection.MINIMIZE if minimise else StudyDirection.MAXIMIZE
        self._study = optuna.create_study(
            study_name=STUDY, storage=self._storage, direction=self._direction, load_if_exists=True
        )
        self._id = self._storage.get_study_id_from_name(STUDY)
        self._take_up()

    def _take_up(self) -> None:
        """Writes down what the search is about, or compares it with what was written."""
        spans = {key: str(dimension) for key, dimension in self.space.dimensions.items()}
        aim = {"sweeper.metric": self.metric, "sweeper.direction": self._direction.name.lower()}
        about = {**aim, **spans}
        known = self._study.user_attrs.get(ABOUT)
        if known is None and any(self.home.glob("trial-*")):
            raise ConfigError(
                f"{self.home / FILE} is gone or empty, but trials are there: what they tried is in their "
                f"config.yaml; move them elsewhere to begin anew"
            )
        if known is None:
            self._study.set_user_attr(ABOUT, about)
        elif known != about:
            raise ConfigError(f"{self.home / FILE} is another search: {_difference(known, about)}")

    @property
    def total(self) -> int:
        """How many trials there will be in all."""
        size = self.space.size
        return self.settings.trials if size is None else min(self.settings.trials, size)

    def ask(self) -> Trial | None:
        """Begins the next trial; None when as many as were asked for, or all combinations, have been begun.

        What is chosen follows from the settings, the trial's number and what is known of the trials before
        it alone. A combination that was begun already is not begun again.
        """
        trials = self._trials()
        if len(trials) >= self.total:
            return None
        values = self._next(trials)
        self._study.add_trial(
            create_trial(state=TrialState.RUNNING, params=values, distributions=self._distributions)
        )
        return self._trial(self._frozen(len(trials)))

    def unfinished(self) -> list[Trial]:
        """Trials that were begun and not told: after a kill, those to go on with."""
        return [self._trial(frozen) for frozen in self._trials() if frozen.state == TrialState.RUNNING]

    def report(self, trial: Trial, step: int, value: float) -> bool:
        """Takes note of the metric's value at an evaluation; returns whether the trial is to be pruned.

        Steps that were reported already may come again, as they do after a kill: the first report of a step
        counts, and a trial that was to be pruned still is. NaN is no better than any value.
        """
        frozen = self._frozen(trial.number)
        if frozen.state.is_finished() or CUT in frozen.user_attrs:
            return CUT in frozen.user_attrs
        key = self._key(trial.number)
        if step not in frozen.intermediate_values:
            self._storage.set_trial_intermediate_value(key, step, float(value))
        if not self._prunes(trial):
            return False
        self._storage.set_trial_user_attr(key, CUT, step)
        return True

    def tell(self, trial: Trial, value: float | None, state: str, error: str = "") -> None:
        """Takes note of how a trial ended; of a trial that was told already, nothing.

        Arguments:
            value: the metric in the end; only a completed trial's counts. None, NaN and infinities make it
                a failed one.
            state: completed, pruned or failed.
            error: why it failed.
        """
        if self._frozen(trial.number).state.is_finished():
            return
        if state == "completed" and (value is None or not math.isfinite(value)):
            state, error = "failed", error or f"{self.metric} is {value}"
        if state == "failed":
            self._storage.set_trial_user_attr(self._key(trial.number), ERROR, error or "failed")
        self._study.tell(trial.number, value if state == "completed" else None, STATES[state])

    def records(self) -> list[Record]:
        """All trials, by number."""
        return [self._record(frozen) for frozen in self._trials()]

    def best(self) -> tuple[Trial, float] | None:
        """The completed trial with the best value, the first of equals; None while there is none."""
        record = best_record(self.records(), self.minimise)
        return None if record is None or record.value is None else (record.trial, record.value)

    def summary(self) -> str:
        """Lines for the end of a sweep: the best trial with its words, and how the trials ended."""
        records, best = self.records(), self.best()
        states = [record.state for record in records]
        counts = ", ".join(f"{states.count(name)} {name}" for name in STATES if name in states)
        lines = [f"{len(records)} of {self.total} trials" + (f": {counts}" if counts else "")]
        if best is not None:
            trial, value = best
            return "\n".join([f"best: {trial.name}, {self.metric} {value:.6g}", *_indented(trial), *lines])
        errors = [f"{record.trial.name}: {record.error}" for record in records if record.error]
        return "\n".join(["best: no trial is completed", *errors[:1], *lines])

    def importances(self) -> dict[str, float]:
        """For each key, its share in what sets the best trials apart from all; falling, 1 in sum.

        By PED-ANOVA (Watanabe, Bansal & Hutter, IJCAI 2023), which goes by ranks, so that one trial that
        explodes does not decide. At least five trials count as best where there are so many. Raises
        `ValueError`, saying why, where it cannot be said.
        """
        sign = 1 if self.minimise else -1
        losses = sorted(sign * (r.value or 0.0) for r in self.records() if r.state == "completed")
        if len(self.space.dimensions) < 2:
            raise ValueError("only one key is searched")
        if len(losses) < 4:
            raise ValueError("fewer than four trials are completed")
        share = min(0.5, max(0.1, 5 / len(losses)))
        if losses[math.ceil(share * len(losses)) - 1] == losses[-1]:
            raise ValueError("too many trials came to the same value")
        evaluator = PedAnovaImportanceEvaluator(target_quantile=share)
        return get_param_importances(self._study, evaluator=evaluator)

    def _trials(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False)

    def _key(self, number: int) -> int:
        """What the storage calls the trial of that number."""
        return self._storage.get_trial_id_from_study_id_trial_number(self._id, number)

    def _frozen(self, number: int) -> FrozenTrial:
        return self._storage.get_trial(self._key(number))

    def _trial(self, frozen: FrozenTrial) -> Trial:
        return Trial(frozen.number, self.space.words(frozen.params), self.space.job(frozen.params))

    def _record(self, frozen: FrozenTrial) -> Record:
        value = frozen.value
        if value is None and frozen.last_step is not None:
            value = frozen.intermediate_values[frozen.last_step]
        error = str(frozen.user_attrs.get(ERROR, "")) if frozen.state == TrialState.FAIL else ""
        return Record(self._trial(frozen), NAMES[frozen.state], value, dict(frozen.params), error)

    def _next(self, trials: Sequence[FrozenTrial]) -> dict[str, Any]:
        """The sampler's choice; where all could be counted, never one of those that were begun."""
        values = {} if self.settings.sampler == "grid" else self._proposal(trials)
        if self.space.size is None:
            return values
        begun = {self.space.words(frozen.params) for frozen in trials}
        if values and self.space.words(values) not in begun:
            return values
        order = (self.space.combination(i) for i in shuffled(self.space.size, self.settings.seed))
        return next(one for one in order if self.space.words(one) not in begun)

    def _proposal(self, trials: Sequence[FrozenTrial]) -> dict[str, Any]:
        """Asked of a copy in memory, since Optuna would write a trial one value at a time."""
        copy = optuna.create_study(
            direction=self._direction, sampler=sampler(self.settings, len(trials)), pruner=NopPruner()
        )
        copy.add_trials(trials)
        return dict(copy.ask(self._distributions).params)

    def _prunes(self, trial: Trial) -> bool:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "All-NaN", RuntimeWarning)  # a trial that reported nothing else
            return self._pruner.prune(self._study, self._frozen(trial.number))


def best_record(records: Sequence[Record], minimise: bool) -> Record | None:
    """The completed trial with the best value, the first of equals; None while there is none."""
    sign = 1 if minimise else -1
    done = [record for record in records if record.state == "completed"]
    return min(done, key=lambda record: sign * (record.value or 0.0), default=None)


def distribution(dimension: Dimension) -> BaseDistribution:
    """A dimension of the space as Optuna calls it."""
    if isinstance(dimension, Choices):
        return CategoricalDistribution(dimension.texts)
    if isinstance(dimension, Interval):
        kind: Any = IntDistribution if dimension.whole else FloatDistribution
        return kind(dimension.low, dimension.high, log=dimension.log)
    low, high = sorted((dimension[0], dimension[dimension.count - 1]))
    kind = IntDistribution if isinstance(low, int) else FloatDistribution
    return kind(low, high, step=abs(dimension.step))


def sampler(settings: SearchSettings, number: int) -> BaseSampler:
    """A sampler for the trial of that number alone, so that what it draws depends on no other trial's
    draws.

    `constant_liar` keeps it away from trials that still run, so that those side by side differ.
    """
    digest = hashlib.sha256(f"{settings.seed},{number}".encode()).digest()
    seed = int.from_bytes(digest[:4], "big")
    if settings.sampler == "random":
        return RandomSampler(seed)
    return TPESampler(seed=seed, n_startup_trials=settings.startup, constant_liar=True)


def pruner(settings: SearchSettings) -> BasePruner:
    """The pruner that the settings name; what it decides follows from what was reported alone.

    Hyperband is left out: it divides the trials into brackets, each with a sampler that sees its own bracket
    alone, which takes several times as many trials before `tpe` begins to learn.
    """
    if settings.prune == "median":
        return MedianPruner(settings.prune_after, settings.warmup_steps)
    if settings.prune == "halving":
        return _Halving(settings)
    return NopPruner()


class _Halving(BasePruner):
    """Successive halving that lets the first trials run to their end."""

    def __init__(self, settings: SearchSettings) -> None:
        self._after = settings.prune_after
        self._least = max(1, settings.warmup_steps)

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        cuts = SuccessiveHalvingPruner(min_resource=self._least).prune(study, trial)
        return cuts and len(done) >= self._after


def shuffled(count: int, seed: int) -> Iterator[int]:
    """The numbers below `count` in an order of the seed's, drawn one by one, so that `count` may be huge."""
    generator, moved = random.Random(seed), dict[int, int]()
    for i in range(count):
        j = generator.randrange(i, count)
        yield moved.get(j, j)
        moved[j] = moved.get(i, i)


def _storage(path: Path) -> RDBStorage:
    def connect() -> sqlite3.Connection:  # the path as it is: a URL would read `?`, `%` and `{` in it
        return sqlite3.connect(path, timeout=WAIT_SECONDS, check_same_thread=False)

    try:
        return RDBStorage("sqlite://", engine_kwargs={"creator": connect, "poolclass": NullPool})
    except (SQLAlchemyError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"{path} cannot be read as a search: {reason}") from error


def _difference(known: Mapping[str, str], asked: Mapping[str, str]) -> str:
    key = next(k for k in {**known, **asked} if known.get(k) != asked.get(k))
    was, now = (f"{key}={one[key]}" if key in one else f"no {key}" for one in (known, asked))
    return f"it has {was}, the command {now}"


def _indented(trial: Trial) -> list[str]:
    return [f"  {word}" for word in trial.words]
