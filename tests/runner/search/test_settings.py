"""Settings of the sweeper, and what a search goes by."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from typing import Any

import pytest
import yaml

from runner.errors import ConfigError
from runner.registry import CONF, ROOT
from runner.search.settings import SWEEPERS, GridSettings, goal, sweeper_settings
from tests.runner.search.conftest import search_settings


@pytest.mark.parametrize("name", sorted(SWEEPERS))
def test_the_yaml_fits_its_dataclass_and_begins_with_a_sentence(name: str) -> None:
    text = (CONF / "sweeper" / f"{name}.yaml").read_text(encoding="utf-8")
    assert text.startswith("# ")
    settings = sweeper_settings(yaml.safe_load(text))
    assert type(settings) is SWEEPERS[name]
    assert settings.name == name


def test_every_sweeper_has_a_yaml() -> None:
    assert {path.stem for path in (CONF / "sweeper").glob("*.yaml")} == set(SWEEPERS)


@pytest.mark.parametrize("cls", SWEEPERS.values())
def test_settings_are_frozen_explained_and_without_values(cls: Any) -> None:
    assert cls.__dataclass_params__.frozen
    for item in dataclasses.fields(cls):
        assert item.default is dataclasses.MISSING
        assert item.metadata["help"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"metric": "test/bits_per_dim"}, "the test part is not for choosing"),
        ({"metric": "final/test/bits_per_dim"}, "the test part is not for choosing"),
        ({"metric": "train/loss"}, "not one of validation"),
        ({"trials": 0}, r"sweeper\.trials=0 is out of range"),
        ({"sampler": "cmaes"}, "is not one of tpe, random, grid"),
        ({"prune": "hyperband"}, "is not one of none, median, halving"),
        ({"trial": 3}, "did you mean trials"),
    ],
)
def test_wrong_settings_are_a_sentence_with_their_file(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        search_settings(**given)
    assert "conf/sweeper/optuna.yaml" in str(caught.value)


@pytest.mark.parametrize("node", [{"name": "optun"}, {}, None, "optuna"])
def test_an_unknown_sweeper_is_a_sentence(node: Any) -> None:
    with pytest.raises(ConfigError, match=r"sweeper=.* is not known; .*optuna"):
        sweeper_settings(node)
    assert sweeper_settings({"name": "grid"}) == GridSettings("grid")


def test_the_goal_is_the_methods_unless_it_is_given() -> None:
    monitor = "validation/accuracy"
    assert goal(search_settings(), monitor, False) == (monitor, False)
    assert goal(search_settings(), monitor, True) == (monitor, True)
    assert goal(search_settings(direction="minimize"), monitor, False) == (monitor, True)
    assert goal(search_settings(metric=monitor), monitor, False) == (monitor, False)
    other = search_settings(metric="validation/loss", direction="maximize")
    assert goal(other, monitor, True) == ("validation/loss", False)


def test_a_goal_that_nobody_names_is_a_sentence() -> None:
    with pytest.raises(ConfigError, match="monitors nothing"):
        goal(search_settings(), None, True)
    with pytest.raises(ConfigError, match=r"sweeper\.direction=minimize or maximize"):
        goal(search_settings(metric="validation/loss"), "validation/accuracy", True)
    with pytest.raises(ConfigError, match="the method monitors train/loss"):
        goal(search_settings(), "train/loss", True)


def test_only_the_study_needs_optuna_and_says_so() -> None:
    code = (
        "import sys; sys.modules['optuna'] = None\n"
        "import runner.search.settings, runner.search.space, runner.search.progress\n"
        "assert not {'torch', 'matplotlib', 'sqlalchemy'} & set(sys.modules)\n"
        "from runner.errors import ConfigError\n"
        "try: import runner.search.study\n"
        "except ConfigError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (
        done.stdout == "sweeper=optuna needs optuna: pip install -e '.[search]' in the project's folder\n"
    ), done.stderr
