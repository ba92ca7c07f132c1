"""`run -m sweeper=optuna`: trials one after another, or some at a time, each learning from those before."""

from __future__ import annotations

import logging
import re
import shlex
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from runner import folder
from runner.compose import Composed, Composer, parse
from runner.errors import ConfigError, nearest
from runner.search.figures import draw
from runner.search.progress import intermediate
from runner.search.settings import PART, SearchSettings, goal, sweeper_settings
from runner.search.space import Choices, Dimension, Interval, Space, read_space
from runner.search.study import Search, Trial
from runner.sweep.command import how_words
from runner.sweep.conduct import Conduct
from runner.sweep.here import refuse_what_is_missing
from runner.sweep.hparams import Column, columns
from runner.sweep.judge import UNSEEN
from runner.sweep.ledger import Ended
from runner.sweep.perform import ended, under_way
from runner.sweep.plan import Job, Plan
from runner.sweep.rows import Rows
from runner.sweep.settings import LocalSettings
from runner.sweep.table import print_table

log = logging.getLogger("reclaim")
MANY_DIGITS = re.compile(r"-?(?=\d*\.)(?=(\.?\d\.?){8})[\d.]+(e[-+]?\d+)?")
LOOK_SECONDS = 1.0
"""How often a running trial's log is looked at."""


def search(composer: Composer, show: bool = False) -> int:
    """Checks the ends of what is searched, runs the trials, says which is best.

    Returns 0 if all have ended and one at least is completed, 128 + a signal's number, or 1.
    """
    space, first, settings = _asked(composer)
    how = Conduct.of(first.how, how_words(composer.words), first.root, settings.trials)
    if show:
        spans = [f"  {key}={dimension}" for key, dimension in space.dimensions.items()]
        print("\n".join([f"{how.announced(settings.trials)}, searching", *spans]))
        return 0
    refuse_what_is_missing([first], how)
    home = folder.make(Path(first.root.outputs).expanduser() / "sweeps")
    Plan.of(composer, how.words, how.threads).write(home)
    return _run(home, composer, space, settings, how, first)


def take_up(
    home: Path, saved: Plan, said: Sequence[str], data: tuple[str, ...], check: Callable[[Conduct], None]
) -> int:
    """Goes on with the search in `home`.

    Arguments:
        said: words that say how its trials are made and run, such as `sweeper.trials=40`.
        data: words about where data lies.
        check: raises `ConfigError` where the trials must not be run so.
    """
    words = [word for word in saved.words if not how_words([word])]
    composer = Composer([*words, *said], [Path(place) for place in saved.config_dirs])
    space, first, settings = _asked(composer)
    how = replace(Conduct.of(first.how, said, first.root, settings.trials), data=data)
    check(how)
    begun = sum(1 for _ in home.glob("trial-*"))
    if settings.trials < begun:
        raise ConfigError(f"sweeper.trials={settings.trials} is fewer than the {begun} that were begun")
    found = Search(home, space, settings, *goal(settings, *_last_stage(first)[1:]))
    records = found.records()
    if len(records) >= found.total and all(record.state != "unfinished" for record in records):
        print(f"{home} is completed; nothing to do (sweeper.trials=N for more)\n{found.summary()}")
        return 0 if found.best() is not None else 1
    if any(word.startswith("sweeper.") for word in said):  # how many trials, and the like, hold from now on
        kept = [word for word in said if word.startswith("sweeper")]
        kept += [word for word in saved.how if not word.startswith("sweeper")]
        replace(saved, how=tuple(kept)).write(home)
    return _run(home, composer, space, settings, how, first)


def _asked(composer: Composer) -> tuple[Space, Composed, SearchSettings]:
    """What is searched, one of its jobs, and the settings; raises `ConfigError` for what cannot be run."""
    settings = sweeper_settings(composer.compose(how_words(composer.words)).how["sweeper"])
    if not isinstance(settings, SearchSettings):
        raise ConfigError("this sweep has no jobs, and sweeper=optuna is not among its words")
    space = read_space(composer.overrides, settings.sampler)
    probes = _probed(composer, space)
    aims = {_last_stage(probe)[1:] for probe in probes}
    if len(aims) > 1 and (settings.metric is None or settings.direction is None):
        said = " and ".join(sorted(f"{m} ({'least' if least else 'greatest'})" for m, least in aims))
        raise ConfigError(
            f"what is searched over changes what is best, {said}; sweeper.metric=NAME and "
            f"sweeper.direction=minimize or maximize say what to go by"
        )
    return space, probes[0], settings


def _probed(composer: Composer, space: Space) -> list[Composed]:
    """Jobs at the ends of what is searched; raises `ConfigError` for values that a key does not take."""
    try:
        return [composer.compose(words) for words in space.probes()]
    except ConfigError as error:
        for key, found in space.dimensions.items():
            if not isinstance(found, Interval) or found.whole or f"{key}=" not in str(error):
                continue
            if found.low.is_integer() and found.high.is_integer() and "whole number" in str(error):
                whole = replace(found, low=int(found.low), high=int(found.high))
                raise ConfigError(f"{error}; for whole numbers: {key}='{whole}'") from None
        raise


def _run(
    home: Path, composer: Composer, space: Space, settings: SearchSettings, how: Conduct, first: Composed
) -> int:
    stage, monitor, minimise_monitor = _last_stage(first)
    metric, minimise = goal(settings, monitor, minimise_monitor)
    found = Search(home, space, settings, metric, minimise)
    trials = Trials(found, composer, how, home, stage)
    rows = Rows(home, trials.begun(), _columns(space), metric)
    with under_way(home, how, rows, found.total, metric) as sweep:
        log.info("searching for the %s %s", "least" if minimise else "greatest", metric)
        if settings.prune != "none" and isinstance(how.launcher, LocalSettings):
            log.info(
                "sweeper.prune=%s needs launcher=process: here a trial is seen at its end", settings.prune
            )
        sweep.pool.run(trials)
        if trials.wrong is not None:
            log.error("%s", trials.wrong)
        records = found.records()
        labels = {r.trial.name: f"{r.trial.name} {' '.join(map(short, r.trial.words))}" for r in records}
        failed = {r.trial.name: r.error for r in records if r.state == "failed"}
        states = print_table(list(labels), sweep.ledger, labels, metric, failed)
        _conclude(found, composer)
    if trials.wrong is not None:
        return 1
    done = len(records) >= found.total and all(record.state != "unfinished" for record in records)
    return ended(home, states, sweep.stop, done and found.best() is not None)


def _conclude(found: Search, composer: Composer) -> None:
    log.info("")
    for line in [*found.summary().splitlines(), *draw(found)]:
        log.info("%s", line)
    if (best := found.best()) is not None:
        words = [word for word in best[0].job if not how_words([word])]
        log.info("again:   run %s", shlex.join(words))
    log.info("pictures: %s", found.home / "figures")


def _last_stage(composed: Composed) -> tuple[str, str | None, bool]:
    """Name of the method's last stage, what it monitors, and whether less of it is better."""
    from runner.engine.pipeline import make_method

    stage = make_method(composed).stages()[-1]
    return stage.name, getattr(stage, "monitor", None), getattr(stage, "minimise_monitor", True)


def short(word: str) -> str:
    """A word with six digits of a number that has more; the whole of it is in the job's config.yaml."""
    key, _, text = word.partition("=")
    return f"{key}={float(text):.6g}" if MANY_DIGITS.fullmatch(text) else word


def _columns(space: Space) -> dict[str, Column]:
    """The columns of the HParams view: what is searched over."""
    return {key: _column(key, dimension) for key, dimension in space.dimensions.items()}


def _column(key: str, dimension: Dimension) -> Column:
    if isinstance(dimension, Choices):
        values: list[Mapping[str, Any]] = [{key: parse([f"{key}={t}"])[0].value()} for t in dimension.texts]
        return columns(values)[key]
    if isinstance(dimension, Interval):
        return Column("number", (dimension.low, dimension.high))
    return Column("number", tuple(sorted((dimension[0], dimension[dimension.count - 1]))))


class Trials:
    """The trials of a search as jobs of a sweep; see `runner.sweep.pool.Source`."""

    def __init__(self, found: Search, composer: Composer, how: Conduct, home: Path, stage: str) -> None:
        self._search, self._composer, self._how, self._home, self._stage = found, composer, how, home, stage
        self._left = deque(found.unfinished())
        self._trials: dict[str, Trial] = {}
        self._seen: dict[str, tuple[float, int]] = {}
        self.wrong: str | None = None
        self.total = found.total

    def begun(self) -> list[Job]:
        """Jobs of the trials that were begun before this process."""
        return [job for record in self._search.records() if (job := self._job(record.trial)) is not None]

    def next(self) -> Job | None:
        if self.wrong is not None:
            return None
        while (trial := self._left.popleft() if self._left else self._search.ask()) is not None:
            if (job := self._job(trial)) is not None:
                self._trials[job.name] = trial
                return job
        return None

    def _job(self, trial: Trial) -> Job | None:
        try:
            composed = self._composer.compose(trial.job)
        except ConfigError as error:  # values that do not go together
            log.info("%s  failed  %s", trial.name, error)
            self._search.tell(trial, None, "failed", str(error))
            return None
        return Job.of(trial.name, self._how.shared(composed))

    def ended(self, job: Job, ended: Ended) -> None:
        if ended.status == "stopped" or ended.error == UNSEEN:
            return  # that it was killed says nothing of its values: a resume goes on with it
        value = ended.metrics.get(self._search.metric)
        state = ended.status if ended.status in ("completed", "pruned") else "failed"
        if ended.status == "completed" and self._search.metric not in ended.metrics:
            near = nearest(self._search.metric, [name for name in ended.metrics if name.startswith(PART)])
            self.wrong = f"{job.name} came to no {self._search.metric}, so the search ends{near}"
        self._search.tell(self._trials[job.name], value, state, ended.error or "")

    def hopeless(self, job: Job) -> str | None:
        looked, step = self._seen.get(job.name, (0.0, -1))
        if self._search.settings.prune == "none" or time.monotonic() - looked < LOOK_SECONDS:
            return None
        cut = None
        for at, value in intermediate(self._home / job.name, self._search.metric, step, self._stage):
            step = at
            if self._search.report(self._trials[job.name], at, value) and cut is None:
                cut = f"cut: {self._search.metric} {value:.4g} at step {at}"
        self._seen[job.name] = time.monotonic(), step
        return cut

    def label(self, job: Job) -> str:
        return " ".join([job.name, *map(short, self._trials[job.name].words)])
