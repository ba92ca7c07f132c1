"""Searches in a temporary folder, told by a formula instead of by runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner.compose import parse
from runner.registry import CONF
from runner.search.settings import SearchSettings, sweeper_settings
from runner.search.space import read_space
from runner.search.study import Search, Trial

METRIC = "validation/loss"
LR = "method.lr=tag(log,interval(1e-6,1e0))"
WORDS = (LR, "method.net_norm=batch,none", "method.blocks=int(interval(2,8))", "seed=3")

Start = Callable[..., Search]


def search_settings(**given: Any) -> SearchSettings:
    """The YAML's settings, but for those that are given."""
    node = yaml.safe_load((CONF / "sweeper" / "optuna.yaml").read_text(encoding="utf-8"))
    settings = sweeper_settings({**node, **given})
    assert isinstance(settings, SearchSettings)
    return settings


@pytest.fixture(autouse=True, scope="session")
def schemas_read_once() -> Iterator[None]:
    """Optuna imports all its earlier schemas for each file that is opened; here the first time is enough."""
    from optuna.storages._rdb import storage

    made: list[Any] = []
    make = storage._VersionManager._create_alembic_script

    def once(manager: Any) -> Any:
        made.extend([] if made else [make(manager)])
        return made[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storage._VersionManager, "_create_alembic_script", once)
        yield


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """`start(words, home=..., minimise=..., **settings)` begins a search or takes it up."""

    def call(
        words: tuple[str, ...] = WORDS, home: Path = tmp_path, minimise: bool = True, **given: Any
    ) -> Search:
        home.mkdir(exist_ok=True)
        settings = search_settings(**given)
        return Search(home, read_space(parse(words), settings.sampler), settings, METRIC, minimise)

    return call


def chosen(trial: Trial, key: str) -> str:
    """The text that a trial has for a key."""
    return dict(word.split("=", 1) for word in trial.words)[key]


def loss(trial: Trial) -> float:
    """Least, and 1, where the learning rate is 1e-3."""
    return 1 + (math.log10(float(chosen(trial, "method.lr"))) + 3) ** 2


def finish(search: Search, most: int = 1000, sign: int = 1) -> list[Trial]:
    """Asks and tells, one trial after the other; returns them."""
    trials: list[Trial] = []
    while len(trials) < most and (trial := search.ask()) is not None:
        search.tell(trial, sign * loss(trial), "completed")
        trials.append(trial)
    return trials
