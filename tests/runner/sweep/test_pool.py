"""The pool, with an engine that only pretends; the ledger; how an end is judged."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from runner import folder
from runner.errors import ConfigError
from runner.signals import StopRequest
from runner.sweep import plan
from runner.sweep.attendant import Verdict
from runner.sweep.judge import judge, stamp
from runner.sweep.ledger import Ended, Ledger
from runner.sweep.plan import Job, Plan
from runner.sweep.pool import Listed, Pool
from runner.sweep.settings import SweepSettings

RESULT = {"status": "completed", "error": None, "metrics": {"test/x": 1.5}, "steps": 3, "seconds": 2.0}


def job(name: str) -> Job:
    choices = dict.fromkeys(("method", "dataset", "preset", "experiment", "trainer", "debug"), "a")
    return Job(name, "0" * 16, {"seed": 1, "methods": {"path": []}}, choices, ("seed=1",))


def write(place: Path, **changes: Any) -> None:
    (place / "result.json").write_text(json.dumps({**RESULT, **changes}))


class Pretended:
    """Ends each job as its script says, at the second look; records what it was asked."""

    outlives = False

    def __init__(self, home: Path, capacity: int, **scripts: Sequence[str]) -> None:
        self.home, self.capacity = home, capacity
        self.scripts = {name: list(ends) for name, ends in scripts.items()}
        self.running: dict[str, tuple[Job, int]] = {}
        self.begun: list[str] = []
        self.most, self.stopped = 0, list[str]()

    def start(self, jobs: Sequence[Job]) -> dict[str, str | None]:
        self.begun += [one.name for one in jobs]
        self.running |= {one.name: (one, 0) for one in jobs}
        self.most = max(self.most, len(self.running))
        return dict.fromkeys((one.name for one in jobs), None)

    def adopt(self, one: Job, handle: str) -> bool:
        return False

    def ended(self) -> list[tuple[Job, Verdict]]:
        done = []
        for name, (one, looks) in list(self.running.items()):
            self.running[name] = (one, looks + 1)
            end = self.scripts[name][0] if self.scripts.get(name) else "completed"
            if looks >= 1 and (end != "endless" or name in self.stopped):
                del self.running[name]
                self.scripts.get(name, [None]).pop(0)
                done.append((one, self.end(name, end)))
        return done

    def end(self, name: str, end: str) -> Verdict:
        if end == "completed":
            write(self.home / name)
            return Verdict(0, 2.5)
        if end == "wrong":
            write(self.home / name, status="failed", error="no such thing")
            return Verdict(2, 2.0)
        if end == "endless":
            write(self.home / name, status="stopped", error="stopped by signal 15")
            return Verdict(143, 2.0, asked=True)
        return Verdict(-9, 2.0)

    def stop(self, one: Job) -> None:
        self.stopped.append(one.name)


def run_pool(
    home: Path,
    engine: Pretended,
    names: str,
    retries: int = 0,
    on_error: Any = "continue",
    source: Any = None,
) -> dict[str, Ended]:
    ledger = Ledger(home)
    pool = Pool(home, engine, ledger, SweepSettings(on_error, retries), StopRequest())
    pool.run(source or Listed([job(name) for name in names]))
    return {name: ledger.state(name) for name in names}


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.sweep.pool.POLL", 0.0)


def test_no_more_run_at_a_time_than_the_engine_takes(tmp_path: Path) -> None:
    engine = Pretended(tmp_path, 2)
    states = run_pool(tmp_path, engine, "abcde")
    assert engine.begun == list("abcde")
    assert engine.most == 2
    assert {ended.status for ended in states.values()} == {"completed"}
    assert states["a"].metrics == {"test/x": 1.5}


def test_a_failed_job_is_tried_again_as_often_as_said(tmp_path: Path) -> None:
    engine = Pretended(tmp_path, 1, a=["killed", "killed", "completed"], b=["killed"] * 9, c=["wrong"] * 9)
    states = run_pool(tmp_path, engine, "abc", retries=2)
    assert {name: engine.begun.count(name) for name in "abc"} == {"a": 3, "b": 3, "c": 1}
    assert {name: ended.status for name, ended in states.items()} == {
        "a": "completed", "b": "failed", "c": "failed",
    }  # fmt: skip
    assert states["c"].error == "no such thing"


def test_after_an_error_no_more_begin_where_that_was_asked_for(tmp_path: Path) -> None:
    states = run_pool(tmp_path, Pretended(tmp_path, 1, b=["killed"]), "abcd", on_error="stop")
    assert [states[name].status for name in "abcd"] == ["completed", "failed", "not run", "not run"]


def test_a_hopeless_job_is_stopped_and_counts_as_pruned(tmp_path: Path) -> None:
    class Hopeless(Listed):
        def hopeless(self, one: Job) -> str | None:
            return "worse than others" if one.name == "b" else None

    engine = Pretended(tmp_path, 2, b=["endless"])
    run_pool(tmp_path, engine, "abc", source=Hopeless([job(name) for name in "abc"]))
    assert engine.stopped == ["b"]
    entries = Ledger(tmp_path).entries
    assert {name: entries[name].ended.status for name in "abc"} == {  # type: ignore[union-attr]
        "a": "completed", "b": "pruned", "c": "completed",
    }  # fmt: skip
    assert "pruned: worse than others" in (tmp_path / "b" / "run.log").read_text()
    assert folder.read_result(tmp_path / "b")["error"] == "pruned: worse than others"  # type: ignore[index]
    assert Ledger(tmp_path).state("a").seconds == 2.5, "with its start-up, as of those that failed"


def test_a_stop_ends_what_runs_and_begins_no_more(tmp_path: Path) -> None:
    engine, ledger, stop = Pretended(tmp_path, 1, a=["endless"]), Ledger(tmp_path), StopRequest()

    class Stopping(Listed):
        def hopeless(self, one: Job) -> str | None:
            stop.number = 15
            return None

    Pool(tmp_path, engine, ledger, SweepSettings("continue", 3), stop).run(Stopping([job("a"), job("b")]))
    assert engine.begun == ["a"]
    assert (ledger.state("a").status, ledger.state("b").status) == ("stopped", "not run")


def test_a_job_that_had_just_begun_when_a_stop_came_is_stopped(tmp_path: Path) -> None:
    stop = StopRequest()

    class Unheard(Pretended):
        def end(self, name: str, end: str) -> Verdict:
            return Verdict()  # its process was gone before it listened

    class Stopping(Listed):
        def hopeless(self, one: Job) -> str | None:
            stop.number = 15
            return None

    ledger = Ledger(tmp_path)
    Pool(tmp_path, Unheard(tmp_path, 1), ledger, SweepSettings("continue", 0), stop).run(Stopping([job("a")]))
    assert ledger.state("a").status == "stopped"


def test_arrays_that_were_submitted_are_in_the_ledger_when_the_next_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Cluster(Pretended):
        outlives = True

        def start(self, jobs: Sequence[Job]) -> dict[str, str | None]:
            if self.begun:
                raise ConfigError("the jobs could not be submitted: full")
            super().start(jobs)
            return {one.name: f"7_{i}" for i, one in enumerate(jobs)}

    monkeypatch.setattr("runner.sweep.pool.ARRAY", 2)
    with pytest.raises(ConfigError, match=r"full \(2 of 5 were\)"):
        run_pool(tmp_path, Cluster(tmp_path, 9), "abcde")
    ledger = Ledger(tmp_path)
    assert {name: ledger.of(name).handle for name in "abc"} == {"a": "7_0", "b": "7_1", "c": None}


def test_a_completed_folder_of_another_job_is_not_believed(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        write(tmp_path / name, overrides=["seed=1", "data.root=elsewhere"])
    ledger = Ledger(tmp_path, {"a": ("seed=1",), "b": ("seed=2",)})
    assert ledger.state("a").status == "completed"
    assert ledger.state("b").status == "failed"
    assert "is the folder of another job" in str(ledger.state("b").error)


def test_the_ledger_survives_a_torn_line_and_a_result_counts_for_more(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    for name in "ab":
        (tmp_path / name).mkdir()
        ledger.begin(name, "17")
    ledger.end("a", Ended("failed", "x", seconds=1.0))
    ledger.close()
    with (tmp_path / "ledger.jsonl").open("ab") as file:
        file.write(b'{"job": "b", "event": "en')
    again = Ledger(tmp_path)
    assert again.state("a") == Ended("failed", "x", seconds=1.0)
    assert again.of("b").handle == "17"
    assert again.state("b").status == "under way", "nobody saw its end"
    again.end("b", Ended("failed", "y", seconds=1.0))
    assert Ledger(tmp_path).state("b").error == "y", "the torn line is not joined to the next"
    write(tmp_path / "b")
    assert Ledger(tmp_path).state("b").status == "completed"
    assert Ledger(tmp_path).of("b").seconds == 1.0


@pytest.mark.parametrize(
    ("verdict", "result", "status", "words"),
    [
        (Verdict(0, 1.0), {}, "completed", None),
        (Verdict(1, 1.0), {"status": "failed", "error": "e"}, "failed", "e"),
        (Verdict(-9, 1.0), None, "failed", "killed by SIGKILL"),
        (Verdict(-11, 1.0, where="m.py, line 3, in f"), None, "failed", "SIGSEGV (m.py, line 3, in f)"),
        (Verdict(3, 1.0), None, "failed", "exit code 3"),
        (
            Verdict(143, 70.0, late=True),
            {"status": "stopped", "error": "s"},
            "failed",
            "longer than 60 s; saved",
        ),
        (Verdict(-9, 70.0, late=True), None, "failed", "longer than 60 s and did not stop"),
        (Verdict(143, 1.0, asked=True), {"status": "stopped", "error": "s"}, "stopped", "with the sweep"),
        (Verdict(None, 1.0), None, "failed", "unseen"),
        (Verdict(-9, 1.0), {}, "completed", None),
    ],
)
def test_how_an_end_is_judged(
    verdict: Verdict, result: dict[str, Any] | None, status: str, words: str | None, tmp_path: Path
) -> None:
    before = stamp(tmp_path)
    if result is not None:
        write(tmp_path, **result)
    ended = judge(tmp_path, before, verdict, 60.0)
    assert ended.status == status
    assert (words is None) == (ended.error is None)
    assert words is None or words in str(ended.error)
    if result is None:
        assert str(ended.error) in (tmp_path / "run.log").read_text()


def test_what_is_lost_is_run_again_and_what_is_damaged_is_one_jobs_affair(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    for name in "abc":
        (tmp_path / name).mkdir()
        ledger.begin(name)
        write(tmp_path / name, metrics={"test/x": "abc", "test/y": 1.0} if name == "c" else {"test/x": 1.0})
        ledger.end(name, Ended("completed", metrics={"test/x": 1.0}))
    (tmp_path / "a" / "result.json").unlink()
    (tmp_path / "b" / "result.json").write_text('{"stat')
    assert ledger.state("a").status == "not run"
    assert ledger.state("b").status == "failed"
    assert "is damaged" in str(ledger.state("b").error)
    assert ledger.state("c").metrics == {"test/y": 1.0}


def test_a_folder_of_another_job_is_that_jobs_failure(tmp_path: Path) -> None:
    one = job("a")
    folder.write_config(tmp_path_of(tmp_path, "a"), {**one.config, "seed": 99}, one.choices, one.overrides)
    (tmp_path / "b").write_text("in the way")
    states = run_pool(tmp_path, Pretended(tmp_path, 1), "abc")
    assert "is the folder of another job: its seed is 99, not 1" in str(states["a"].error)
    assert "cannot be a job's folder" in str(states["b"].error)
    assert states["c"].status == "completed"


def tmp_path_of(home: Path, name: str) -> Path:
    (home / name).mkdir()
    return home / name


def test_what_is_damaged_in_a_folder_is_mended(tmp_path: Path) -> None:
    for name in "ab":
        job(name).prepare(tmp_path)
    (tmp_path / "a" / "config.yaml").write_text("")
    (tmp_path / "b" / "result.json").write_text("{}")
    states = run_pool(tmp_path, Pretended(tmp_path, 1), "ab")
    assert {state.status for state in states.values()} == {"completed"}
    assert folder.read_config(tmp_path / "a")[0]["seed"] == 1
    assert (tmp_path / "b" / "result.json.damaged").read_text() == "{}"


def test_a_line_of_other_types_is_passed_over(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.begin("a", "17")
    ledger.end("a", Ended("failed", "x", seconds=2.0))
    with (tmp_path / "ledger.jsonl").open("a") as file:
        file.write(
            '{"job": "a", "event": "end", "status": "failed", "error": 3, "wrong": false, "seconds": "y"}\n'
            '{"job": "a", "event": "end", "status": "failed", "error": "", "wrong": true, "seconds": 1e999}\n'
            '{"job": "a", "event": "begin", "handle": 17}\n'
        )
    assert Ledger(tmp_path).state("a") == Ended("failed", "x", seconds=2.0)


def test_a_refusal_is_the_jobs_error_and_is_not_tried_again(tmp_path: Path) -> None:
    ended = judge(tmp_path, stamp(tmp_path), Verdict(2, 1.0, said="config.yaml is damaged"), None)
    assert (ended.status, ended.error, ended.wrong) == ("failed", "config.yaml is damaged", True)


def test_what_is_in_the_way_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(ConfigError, match="cannot be a job's folder"):
        job("a").prepare(tmp_path)
    (tmp_path / "ledger.jsonl").mkdir()
    with pytest.raises(ConfigError, match="cannot be kept"):
        Ledger(tmp_path)


@pytest.mark.parametrize("name", ["", "../a", ".lock", "sweep.json", "b"])
def test_a_job_has_a_name_of_its_own(name: str, tmp_path: Path) -> None:
    Plan((), (), (), [job("a"), job("b")]).write(tmp_path)
    text = (tmp_path / plan.NAME).read_text().replace('"name": "a"', f'"name": "{name}"')
    (tmp_path / plan.NAME).write_text(text)
    with pytest.raises(ConfigError, match="is damaged"):
        plan.read(tmp_path)


def test_an_old_result_says_nothing_of_a_new_attempt(tmp_path: Path) -> None:
    write(tmp_path, status="failed", error="the first time")
    ended = judge(tmp_path, stamp(tmp_path), Verdict(-9, 1.0), None)
    assert "SIGKILL" in str(ended.error)


def test_a_plan_comes_back_as_it_was(tmp_path: Path) -> None:
    jobs = [job("a"), Job("b", "1" * 16, {"seed": 2, "x": {"y": None}}, job("a").choices, ())]
    written = Plan(("seed=1,2",), (), ("launcher=local",), jobs)
    written.write(tmp_path)
    assert plan.is_sweep(tmp_path)
    found = plan.read(tmp_path)
    assert (found.words, found.how) == (written.words, written.how)
    assert found.jobs[0] == jobs[0]
    assert found.jobs[1].config == {**jobs[0].config, **jobs[1].config}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"words": [], "config_dirs": [], "how": [], "base": {}, "jobs": []}',
        '{"base": {}, "jobs": [{"name": "../x"}]}',
        '{"words": 3}',
    ],
)
def test_a_damaged_plan_is_a_sentence(text: str, tmp_path: Path) -> None:
    (tmp_path / plan.NAME).write_text(text)
    with pytest.raises(ConfigError, match="is damaged"):
        plan.read(tmp_path)


def test_a_linked_folder_of_a_job_is_none(tmp_path: Path) -> None:
    (tmp_path / "sub" / "job").mkdir(parents=True)
    (tmp_path / "a").symlink_to(tmp_path / "sub" / "job")
    assert "is a link" in str(run_pool(tmp_path, Pretended(tmp_path, 1), "a")["a"].error)
    (tmp_path / "sweep.json").write_text("{}")
    for place in (tmp_path / "a", tmp_path / "sub" / "job"):
        with pytest.raises(ValueError, match="is not where a method of yours would lie"):
            folder.refuse_code_within(place, [str(tmp_path / "toys")])


@pytest.mark.parametrize("where", ["words", "base", "relative"])
def test_a_sweep_brings_no_code_along(where: str, tmp_path: Path) -> None:
    one = job("a")
    inside = [str(tmp_path / "mine")] if where != "relative" else ["mine"]
    if where != "words":
        one = Job("a", one.id, {**one.config, "methods": {"path": inside}}, one.choices, ())
    words = (f"methods.path=[{tmp_path}/mine]",) if where == "words" else ()
    Plan(words, (), (), [one]).write(tmp_path)
    with pytest.raises(ConfigError, match="not where a method of yours would lie"):
        plan.read(tmp_path)
    place = one.prepare(tmp_path)
    if where != "words":
        with pytest.raises(ConfigError, match="not where a method of yours would lie"):
            folder.read_config(place)
