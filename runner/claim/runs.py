"""Runs what claims need and do not have, through the launchers and the ledger of sweeps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import count
from pathlib import Path

from runner import folder
from runner.claim.plan import Need
from runner.compose import Composer
from runner.errors import ConfigError
from runner.sweep.conduct import Conduct
from runner.sweep.here import refuse_what_is_missing
from runner.sweep.ledger import Ended, Ledger
from runner.sweep.perform import under_way
from runner.sweep.plan import Job

COMPLETED = "completed"


class Needs:
    """Needs as a source of jobs (see `runner.sweep.pool.Source`); a look at a run waits for its end."""

    def __init__(self, needs: Iterable[Need], composer: Composer, home: Path, ledger: Ledger) -> None:
        self._left = list(needs)
        self._composer, self._home, self._ledger = composer, home, ledger
        self.total = len(self._left)
        self._labels = {need.name: need.label for need in self._left}

    def next(self) -> Job | None:
        for need in self._left:
            if need.parent is None or self._ledger.state(need.parent.name).status == COMPLETED:
                self._left.remove(need)
                return need.job(self._composer, self._home)
        return None

    def ended(self, job: Job, ended: Ended) -> None:
        """Nobody asks."""

    def hopeless(self, job: Job) -> str | None:
        return None

    def label(self, job: Job) -> str:
        return self._labels[job.name]


def run_needs(home: Path, needs: Iterable[Need], composer: Composer, how: Conduct) -> int | None:
    """Runs those that are not completed; returns the number of the signal that stopped it, if one did.

    Those that must be alone come last, one at a time.
    """
    unique = {need.name: need for need in needs}
    for alone in (False, True):
        group = [need for need in unique.values() if need.alone == alone]
        if stopped := _run(home, group, composer, replace(how, capacity=1) if alone else how):
            return stopped
    return None


def _run(home: Path, needs: list[Need], composer: Composer, how: Conduct) -> int | None:
    left = missing(home, needs)
    if not left:
        return None
    for need in left:
        if need.alone and (home / need.name).is_dir():
            _set_aside(home / need.name)
    with under_way(home, how, None, len(left)) as sweep:
        source = Needs(left, composer, home, sweep.ledger)
        sweep.pool.run(source)
        return sweep.stop.number


def lacking(needs: Iterable[Need], how: Conduct) -> str | None:
    """What this machine has not that the runs need: a device, or data that nobody is to fetch."""
    try:
        refuse_what_is_missing([need.composed for need in needs], how)
    except ConfigError as error:
        return str(error)
    return None


def missing(home: Path, needs: Iterable[Need]) -> list[Need]:
    """The needs that are not completed, or whose time is that of two attempts."""
    if not home.is_dir():
        return list(needs)
    ledger = Ledger(home)
    found = [
        need
        for need in needs
        if ledger.state(need.name).status != COMPLETED or (need.alone and is_resumed(home / need.name))
    ]
    ledger.close()
    return found


def is_resumed(place: Path) -> bool:
    """Whether the completed run in `place` went on from an earlier attempt."""
    result = folder.read_result(place)
    return result is not None and bool(result.get("resumed", False))


def _set_aside(place: Path) -> None:
    """Keeps what an interrupted run left, under another name: what is timed begins anew."""
    number = next(n for n in count(1) if not place.with_name(f"{place.name}.interrupted-{n}").exists())
    place.rename(place.with_name(f"{place.name}.interrupted-{number}"))
