"""Jobs of a sweep: their words and their names."""

from __future__ import annotations

import pytest

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


def test_names_say_what_differs_and_are_single_folders() -> None:
    jobs = [
        ["method=realnvp", "seed=1", "experiment=realnvp/a"],
        ["method=realnvp", "seed=2", "experiment=realnvp/b"],
    ]
    assert job_names(jobs) == ["seed=1,experiment=realnvp-a", "seed=2,experiment=realnvp-b"]
    assert job_names([["seed=1"]]) == ["seed=1"]
    long = job_names([[f"data.root={'x' * 300}{i}"] for i in range(3)])
    assert len(set(long)) == 3
    assert all(len(name) < 130 for name in long)
    assert job_names([["data.root=/a"], ["data.root=-a"]]) == ["data.root=-a", "data.root=-a-1"]


def test_a_name_that_is_taken_is_not_taken_again() -> None:
    jobs = [["data.root=-a-1"], ["data.root=-a"], ["data.root=/a"], ["data.root=@a"]]
    names = job_names(jobs)
    assert len(set(names)) == 4


def test_torchrun_and_a_sweep_do_not_go_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="torchrun"):
        sweep(Composer(["seed=1,2"]))
