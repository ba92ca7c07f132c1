"""Trials that are asked for, told, continued after a kill, and pruned."""

from __future__ import annotations

import math
import sqlite3
import statistics
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from runner.compose import Composer, parse
from runner.errors import ConfigError
from runner.registry import ROOT
from runner.search.space import Steps, read_space
from runner.search.study import FILE, Search, Trial, distribution, shuffled
from tests.runner.search.conftest import LR, WORDS, Start, chosen, finish, loss

ONE = ("method.lr=tag(log,interval(1e-6,1e0))",)


def words_of(trials: list[Trial]) -> list[tuple[str, ...]]:
    return [trial.words for trial in trials]


def test_trials_are_numbered_and_end_when_all_are_begun(start: Start) -> None:
    search = start(trials=3)
    trials = finish(search)
    assert [trial.name for trial in trials] == ["trial-0000", "trial-0001", "trial-0002"]
    assert len(set(words_of(trials))) == 3
    assert all(trial.job == (*trial.words, "seed=3") for trial in trials)
    assert search.ask() is None
    assert len(finish(start(trials=5))) == 2


def test_values_lie_in_their_ranges(start: Start) -> None:
    for trial in finish(start(trials=8, startup=4)):
        assert 1e-6 <= float(chosen(trial, "method.lr")) <= 1
        assert chosen(trial, "method.net_norm") in ("batch", "none")
        assert int(chosen(trial, "method.blocks")) in range(2, 9)


def test_the_words_of_a_trial_compose(start: Start) -> None:
    words = ("method=realnvp", *WORDS, "method.scale_init=range(0,1,0.1)", "preset=null,realnvp/digits")
    composer = Composer(words)
    search = start(tuple(composer.words), trials=2)
    for trial in finish(search):
        composed = composer.compose(trial.job)
        assert composed.method_config.lr == float(chosen(trial, "method.lr"))
        assert repr(composed.method_config.scale_init) == chosen(trial, "method.scale_init")
        assert composed.choices["preset"] == chosen(trial, "preset")


@pytest.mark.parametrize("sign", [1, -1])
def test_a_search_beats_chance(start: Start, sign: int) -> None:
    search = start(ONE, minimise=sign == 1, trials=20, startup=6)
    losses = [loss(trial) for trial in finish(search, sign=sign)]
    chance = 1 + 1.5**2  # half of all learning rates lie within 1.5 orders of magnitude of the best
    assert statistics.median(losses[6:]) - 1 < 0.4 * (chance - 1)
    best = search.best()
    assert best is not None
    assert best[1] == sign * min(losses)


@pytest.mark.parametrize("sampler", ["tpe", "random", "grid"])
def test_a_killed_search_makes_the_suggestions_of_the_unbroken_one(
    start: Start, tmp_path: Path, sampler: str
) -> None:
    words = WORDS if sampler != "grid" else WORDS[1:3] + ("method.blocks=range(2,9)",)
    given: dict[str, Any] = {"sampler": sampler, "trials": 5 if sampler == "tpe" else 3, "startup": 2}

    def end(search: Search, trial: Trial) -> None:
        search.tell(trial, float(len(trial.words[0]) + trial.number % 4), "completed")

    whole, search = [], start(words[-3:], tmp_path / "whole", **given)
    while (trial := search.ask()) is not None:
        end(search, trial)
        whole.append(trial)
    broken: list[Trial] = []
    search = start(words[-3:], tmp_path / "broken", **given)
    while (trial := search.ask()) is not None:
        if trial.number % 2:  # killed before it is told
            search = start(words[-3:], tmp_path / "broken", **given)
            assert search.unfinished() == [trial]
        end(search, trial)
        broken.append(trial)
    assert broken == whole
    assert search.unfinished() == []


def test_other_seeds_make_other_suggestions(start: Start, tmp_path: Path) -> None:
    for sampler in ("random", "tpe"):
        first = finish(start(ONE, tmp_path / f"{sampler}0", trials=2, sampler=sampler, seed=0))
        second = finish(start(ONE, tmp_path / f"{sampler}1", trials=2, sampler=sampler, seed=1))
        assert not set(words_of(first)) & set(words_of(second))


def test_what_is_drawn_depends_on_the_number_alone_not_on_the_order_of_words(
    start: Start, tmp_path: Path
) -> None:
    one = finish(start(WORDS, tmp_path / "a", trials=3))
    other = finish(start(WORDS[::-1], tmp_path / "b", trials=3))
    assert [set(trial.words) for trial in one] == [set(trial.words) for trial in other]


def test_trials_side_by_side_differ(start: Start) -> None:
    search = start(ONE, trials=11, startup=4)
    finish(search, 5)
    trials = [search.ask() for _ in range(6)]
    rates = [float(chosen(trial, "method.lr")) for trial in trials if trial is not None]
    assert len(set(rates)) == 6
    assert max(rates) / min(rates) > 2
    assert search.unfinished() == trials


def test_a_trial_that_runs_is_kept_away_from(start: Start, tmp_path: Path) -> None:
    after = []
    for state in ("unfinished", "failed"):  # from what failed nothing is learned
        search = start(ONE, tmp_path / state, trials=6, startup=2)
        finish(search, 4)
        if (trial := search.ask()) is not None and state == "failed":
            search.tell(trial, None, state)
        after.append(search.ask())
    assert after[0] != after[1]


def test_a_second_process_finds_the_search(start: Start, tmp_path: Path) -> None:
    search = start(trials=6, startup=2)
    trials = finish(search, 4)
    code = f"""
from contextlib import closing
from pathlib import Path
from tests.runner.search.conftest import METRIC, WORDS, finish, search_settings
from runner.compose import parse
from runner.search.space import read_space
from runner.search.study import Search
space, settings = read_space(parse(WORDS)), search_settings(trials=6, startup=2)
search = Search(Path({str(tmp_path)!r}), space, settings, METRIC, True)
print([record.trial.words for record in search.records()])
print([trial.words for trial in finish(search, 1)])
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    before, after = done.stdout.splitlines()
    assert before == str(words_of(trials))
    assert [record.trial.words for record in search.records()][4:] == eval(after)
    assert len(finish(search)) == 1


@pytest.mark.parametrize("value", [None, math.nan, -math.inf])
def test_a_value_that_is_no_number_is_a_failure(start: Start, value: float | None) -> None:
    search = start(trials=2)
    bad, good = search.ask(), search.ask()
    assert bad is not None
    assert good is not None
    search.tell(bad, value, "completed")
    search.tell(good, 2.0, "completed")
    records = search.records()
    assert [record.state for record in records] == ["failed", "completed"]
    assert records[0].error == f"validation/loss is {value}"
    assert records[0].value is None
    assert search.best() == (good, 2.0)


def test_a_failure_keeps_its_error(start: Start) -> None:
    search = start(trials=1)
    trial = search.ask()
    assert trial is not None
    search.tell(trial, 3.0, "failed", "out of memory")
    (record,) = start(trials=1).records()
    assert (record.state, record.error, record.value) == ("failed", "out of memory", None)
    assert search.summary().splitlines() == [
        "best: no trial is completed", "trial-0000: out of memory", "1 of 1 trials: 1 failed",
    ]  # fmt: skip


def test_telling_twice_is_harmless(start: Start) -> None:
    search = start(trials=1)
    trial = search.ask()
    assert trial is not None
    search.tell(trial, 3.0, "completed")
    before = search.records()
    for state in ("completed", "failed", "pruned"):
        start(trials=1).tell(trial, 4.0, state, "killed")
    assert search.records() == before
    assert search.report(trial, 10, 5.0) is False


def test_the_best_is_the_first_of_equals(start: Start, tmp_path: Path) -> None:
    for minimise, expected in ((True, 1), (False, 0)):
        search = start(ONE, tmp_path / str(minimise), minimise, trials=4, sampler="random")
        for value in (5.0, 2.0, 2.0, 5.0):
            trial = search.ask()
            assert trial is not None
            search.tell(trial, value, "completed")
        best = search.best()
        assert best is not None
        assert best[0].number == expected


def test_the_summary_names_the_best_and_counts(start: Start) -> None:
    search = start(trials=9)
    assert search.summary() == "best: no trial is completed\n0 of 9 trials"
    trials = finish(search, 2)
    for state in ("failed", "pruned", None):
        trial = search.ask()
        assert trial is not None
        if state:
            search.tell(trial, None, state)
    best = min(trials, key=loss)
    assert search.summary().splitlines() == [
        f"best: {best.name}, validation/loss {loss(best):.6g}",
        *(f"  {word}" for word in best.words),
        "5 of 9 trials: 1 unfinished, 2 completed, 1 pruned, 1 failed",
    ]


def run_to(search: Search, trial: Trial, values: list[float]) -> bool:
    """Reports a value every 10 steps; whether the trial was pruned."""
    return any(search.report(trial, 10 * (i + 1), value) for i, value in enumerate(values))


def completed(search: Search, count: int, values: list[float]) -> None:
    for _ in range(count):
        trial = search.ask()
        assert trial is not None
        assert not run_to(search, trial, values)
        search.tell(trial, values[-1], "completed")


def asked(search: Search) -> Trial:
    trial = search.ask()
    assert trial is not None
    return trial


@pytest.mark.parametrize(("prune", "sign"), [("median", 1), ("median", -1), ("halving", -1)])
def test_a_bad_trial_is_pruned_after_the_first_few(start: Start, prune: str, sign: int) -> None:
    search = start(ONE, minimise=sign == 1, prune=prune, prune_after=2, warmup_steps=20, trials=9)
    completed(search, 1, [sign * 3.0, sign * 2.0, sign * 1.0])
    early = asked(search)
    assert not run_to(search, early, [sign * 9.0] * 3)
    search.tell(early, sign * 2.0, "completed")
    bad = asked(search)
    assert not search.report(bad, 10, sign * 9.0)
    assert search.report(bad, 20, sign * 9.0)
    search.tell(bad, None, "pruned")
    assert search.records()[2].state == "pruned"
    assert search.records()[2].value == sign * 9.0
    good = asked(search)
    assert not run_to(search, good, [sign * 1.0, sign * 0.5, sign * 0.2])


def test_nothing_is_pruned_by_default(start: Start) -> None:
    search = start(ONE, trials=9)
    completed(search, 5, [1.0])
    assert not run_to(search, asked(search), [9.0, math.nan, 99.0])


@pytest.mark.parametrize("prune", ["halving"])
def test_a_trial_that_was_to_be_pruned_still_is_after_a_kill(start: Start, prune: str) -> None:
    given: dict[str, Any] = {"prune": prune, "prune_after": 1, "warmup_steps": 10, "trials": 9}
    search = start(ONE, **given)
    completed(search, 2, [1.0, 1.0])
    bad = asked(search)
    assert search.report(bad, 10, 9.0)
    again = start(ONE, **given)
    assert again.unfinished() == [bad]
    assert again.report(bad, 10, 9.0)
    assert again.report(bad, 20, 0.0)


def test_a_step_reported_twice_counts_once(start: Start) -> None:
    search = start(ONE, prune="median", prune_after=1, trials=9)
    completed(search, 2, [1.0, 1.0])
    trial = asked(search)
    assert not search.report(trial, 10, 0.5)
    assert not search.report(trial, 10, 9.0)
    assert search.records()[2].value == 0.5
    assert not start(ONE, prune="median", prune_after=1, trials=9).report(trial, 10, 9.0)


@pytest.mark.parametrize("prune", ["none", "median", "halving"])
@pytest.mark.filterwarnings("error")
def test_no_number_is_no_better_than_a_bad_one(start: Start, prune: str) -> None:
    search = start(ONE, prune=prune, prune_after=1, trials=9)
    completed(search, 2, [1.0, 1.0])
    trial = asked(search)
    assert search.report(trial, 10, math.nan) is (prune != "none")
    search.tell(trial, None, "pruned")
    assert search.records()[2].state == "pruned"


@pytest.mark.parametrize("sampler", ["tpe", "random", "grid"])
def test_no_combination_is_tried_twice(start: Start, sampler: str) -> None:
    words = ("a=x,y", "b=range(2)", "c=range(0,1,0.5)")
    search = start(words, sampler=sampler, trials=50, startup=3)
    seen = []
    while (trial := search.ask()) is not None:
        search.tell(trial, float(trial.number), "completed" if trial.number % 3 else "failed")
        seen.append(trial.words)
    assert len(seen) == len(set(seen)) == search.total == 8


def test_a_grid_that_is_cut_short_is_made_up_later(start: Start, tmp_path: Path) -> None:
    words = ("a=x,y", "b=range(5)")
    few = start(words, sampler="grid", trials=4)
    first = [asked(few).words for _ in range(4)]
    assert few.ask() is None
    assert {"a=x", "a=y"} < {word for one in first for word in one}  # not one corner
    more = start(words, sampler="grid", trials=100)
    rest = [asked(more).words for _ in range(6)]
    assert more.ask() is None
    assert len(set(first + rest)) == 10
    other = start(words, tmp_path / "other", sampler="grid", trials=4, seed=1)
    assert [asked(other).words for _ in range(4)] != first


def test_shuffled_is_an_order_of_all_whose_beginning_is_the_same() -> None:
    assert sorted(shuffled(50, 3)) == list(range(50))
    assert list(shuffled(50, 3)) != list(shuffled(50, 4)) != list(range(50))
    huge = shuffled(10**30, 0)
    assert len({next(huge) for _ in range(100)}) == 100


def test_another_search_is_not_taken_up(start: Start) -> None:
    finish(start(trials=1))
    for words, minimise, said in (
        ((LR, *WORDS[2:]), True, "it has method.net_norm=batch,none, the command no method.net_norm"),
        ((*WORDS, "a=1,2"), True, "it has no a, the command a=1,2"),
        (WORDS, False, "it has sweeper.direction=minimize, the command sweeper.direction=maximize"),
        (("method.lr=tag(log,interval(1e-6,1e-1))", *WORDS[1:]), True, "interval(1e-06,1.0)), the command"),
    ):
        with pytest.raises(ConfigError) as caught:
            start(words, minimise=minimise)
        assert said in str(caught.value)
    assert len(finish(start((*WORDS[:3], "seed=4", "device=cpu"), trials=2))) == 1


def test_a_kill_before_the_first_trial_leaves_a_search(start: Start, tmp_path: Path) -> None:
    start(trials=1)
    with closing(sqlite3.connect(tmp_path / FILE)) as connection, connection:
        connection.execute("DELETE FROM study_user_attributes")
    assert len(finish(start(trials=1))) == 1


def test_a_file_that_is_no_search_is_a_sentence(start: Start, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("not a database, but long enough to look like something" * 20)
    with pytest.raises(ConfigError, match=r"search\.db cannot be read as a search: .*not a database"):
        start()


def test_odd_folders_are_taken_as_they_are(start: Start, tmp_path: Path) -> None:
    home = tmp_path / "a ?{x}%41#é"
    finish(start(ONE, home, trials=1))
    assert [path.name for path in home.iterdir()] == [FILE]
    assert len(start(ONE, home).records()) == 1


def test_only_the_file_is_left_behind_and_nothing_is_open(start: Start, tmp_path: Path) -> None:
    finish(start(trials=2))
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    links = Path("/proc/self/fd")
    if links.is_dir():
        assert not [fd for fd in links.iterdir() if str(fd.resolve()).endswith(FILE)]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("text", ["range(0,1,0.1)", "range(3.0,1.0,-0.7)", "range(1,20,3)", "range(9,1,-3)"])
def test_optuna_knows_the_values_of_a_range(text: str) -> None:
    (dimension,) = read_space(parse([f"a={text}"])).dimensions.values()
    assert isinstance(dimension, Steps)
    known = distribution(dimension)
    for i in range(dimension.count):
        value = dimension[i]
        assert known._contains(known.to_internal_repr(value))
        assert dimension.text(known.to_external_repr(known.to_internal_repr(value))) == repr(value)
    between = [dimension[i] + part * dimension.step for i in range(dimension.count) for part in (0.4, 1 / 3)]
    for value in (*between, dimension[-1], dimension[dimension.count]):
        assert not known._contains(known.to_internal_repr(value))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("int(interval(2,8))", IntDistribution(2, 8)),
        ("tag(log,int(interval(2,8)))", IntDistribution(2, 8, log=True)),
        ("interval(2,8)", FloatDistribution(2, 8)),
        ("tag(log,interval(2,8))", FloatDistribution(2, 8, log=True)),
        ("range(2,9,3)", IntDistribution(2, 8, step=3)),
        ("a,null", CategoricalDistribution(("a", "null"))),
    ],
)
def test_dimensions_as_optuna_calls_them(text: str, expected: Any) -> None:
    (dimension,) = read_space(parse([f"a={text}"])).dimensions.values()
    assert distribution(dimension) == expected


def test_importances_find_what_matters(start: Start) -> None:
    search = start(trials=20, sampler="random")
    finish(search)
    shares = search.importances()
    assert set(shares) == {"method.lr", "method.net_norm", "method.blocks"}
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["method.lr"] > 0.5
    assert next(iter(shares)) == "method.lr"


def test_importances_say_why_there_are_none(start: Start, tmp_path: Path) -> None:
    few = start(home=tmp_path / "few", trials=3)
    finish(few)
    with pytest.raises(ValueError, match="fewer than four"):
        few.importances()
    one = start(ONE, home=tmp_path / "one", trials=4)
    finish(one)
    with pytest.raises(ValueError, match="only one key"):
        one.importances()
    for minimise in (True, False):
        same = start(home=tmp_path / f"same{minimise}", minimise=minimise, trials=4)
        for value in (1.0, 2.0, 2.0, 2.0):
            same.tell(asked(same), value, "completed")
        if minimise:  # of the best half, one is better than the rest
            with pytest.raises(ValueError, match="same value"):
                same.importances()
        else:
            assert sum(same.importances().values()) == pytest.approx(1)
