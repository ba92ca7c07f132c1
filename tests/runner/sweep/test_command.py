"""Jobs of a sweep: their words and their names."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random
from typing import Any

import pytest

from runner import cli
from runner.cli import quoted
from runner.compose import Composer
from runner.errors import ConfigError
from runner.sweep.command import expand, job_names, sweep


def test_every_combination_is_a_job() -> None:
    jobs = expand(Composer(["method=realnvp", "seed=1,2", "method.lr=1e-3,1e-4"]))
    assert len(jobs) == 4
    assert {tuple(sorted(words)) for words in jobs} == {
        ("method.lr=0.001", "method=realnvp", f"seed={s}")
        if lr == "1e-3"
        else ("method.lr=0.0001", "method=realnvp", f"seed={s}")
        for s in (1, 2)
        for lr in ("1e-3", "1e-4")
    }


@pytest.mark.parametrize(
    ("words", "count"), [(["seed=range(4)"], 4), (["seed=5"], 1), (["trainer.clip=choice(1,2)"], 2)]
)
def test_hydras_ways_to_sweep(words: list[str], count: int) -> None:
    assert len(expand(Composer(words))) == count


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["debug=nan,none"], ["debug='nan'", "debug=none"]),
        (["preset=realnvp/digits,none"], ["preset=realnvp/digits", "preset=none"]),
    ],
)
def test_names_of_choices_stay_names(words: list[str], found: list[str]) -> None:
    jobs = expand(Composer(words))
    assert [job for (job,) in jobs] == found
    assert all(Composer(job).compose() for job in jobs)


VALUES = {
    "method.lr": ["1e-3", "0.25", "1"],
    "method.net_norm": ["batch", "none", "'batch'"],
    "trainer.clip": ["null", "2.5"],
    "method.betas": ["[0.5,0.9]", "[0.1,0.2]"],
    "compile": ["true", "false"],
    "preset": ["realnvp/digits", "none"],
    "+experiment": [],
    "outputs": ['"a=b"', '"x y"', '"ünï"'],
    "seed": ["3", "'4'"],
}


@pytest.mark.parametrize("dice", range(12))
def test_jobs_composed_together_are_what_each_is_alone(dice: int) -> None:
    random = Random(dice)
    keys = random.sample([key for key in VALUES if VALUES[key]], 4)
    words = [quoted(f"{key}={','.join(VALUES[key])}", multirun=True) for key in keys]
    together = Composer(["method=realnvp", *words])
    for job in expand(together):
        try:
            alone: Any = Composer(job).compose()
        except ConfigError as error:
            with pytest.raises(ConfigError, match=re.escape(str(error))):
                together.compose(job)
            continue
        found = together.compose(job)
        assert (found.config, found.choices, found.overrides) == (
            alone.config,
            alone.choices,
            alone.overrides,
        )
        assert (found.root, found.method_config) == (alone.root, alone.method_config)


def test_a_value_that_depends_on_another_is_composed_anew(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(
        "# @package _global_\ntrainer:\n  steps: ${seed}\n", encoding="utf-8"
    )
    composer = Composer(["experiment=mine", "seed=3,4"], [tmp_path])
    assert [composer.compose(job).root.trainer.steps for job in expand(composer)] == [3, 4]


def test_what_would_be_run_can_be_seen_first(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.main(["-m", "seed=1,2", "launcher=local", f"outputs={tmp_path}", "--cfg"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["2", "seed=1", "seed=2"]
    words = ["-m", "sweeper=optuna", "method.lr=interval(0.1,1)", f"outputs={tmp_path}"]
    assert cli.main([*words, "--cfg"]) == 0
    assert "method.lr=interval(0.1,1.0)" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_a_single_job_is_named_after_what_it_is() -> None:
    words = ["method=realnvp", "seed=1", "outputs=/a/b", "launcher=process", "methods.path=/x"]
    assert job_names([words]) == ["method=realnvp,seed=1"]


def test_names_say_what_differs_and_are_single_folders() -> None:
    jobs = [
        ["method=realnvp", "seed=1", "experiment=realnvp/a"],
        ["method=realnvp", "seed=2", "experiment=realnvp/b"],
    ]
    assert job_names(jobs) == ["seed=1,experiment=realnvp-a", "seed=2,experiment=realnvp-b"]
    assert job_names([["seed=1"]]) == ["seed=1"]
    assert job_names([["method.betas=[0.9,0.99]"], ["method.betas=[0.5,0.9]"]])[0] == "method.betas=0.9,0.99"
    long = job_names([[f"data.root={'x' * 300}{i}"] for i in range(3)])
    assert len(set(long)) == 3
    assert all(len(name) < 130 for name in long)
    assert job_names([["data.root=/a"], ["data.root=-a"]]) == ["data.root=-a", "data.root=-a-1"]


def test_a_name_in_any_alphabet_fits_into_a_folders() -> None:
    (name, other) = job_names([[f"a={'ж' * 300}1"], [f"a={'ж' * 300}2"]])
    assert name != other
    assert max(len(one.encode()) for one in (name, other)) < 140


def test_a_name_that_is_taken_is_not_taken_again() -> None:
    jobs = [["data.root=-a-1"], ["data.root=-a"], ["data.root=/a"], ["data.root=@a"]]
    names = job_names(jobs)
    assert len(set(names)) == 4


def test_torchrun_and_a_sweep_do_not_go_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="torchrun"):
        sweep(Composer(["seed=1,2"]))
