"""`run -m sweeper=optuna` as a user calls it."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
from pathlib import Path
from statistics import median

import pytest
from PIL import Image

from runner import cli
from runner.search.command import short
from tests.runner.conftest import Run
from tests.runner.sweep.test_processes import begun, ended, events, kill, start, the_sweep, wait_for
from tests.runner.toys.runs import TOYS

SPACE = ("method.lr=tag(log,interval(1e-4,1e-1))", "method.width=4,8,16")
TOY = (
    "-m", "sweeper=optuna", f"methods.path=[{TOYS}]", "method=toy_flow", *SPACE, "trainer.steps=12",
    "trainer.eval_every=4",
)  # fmt: skip


def tried(home: Path) -> list[str]:
    """What each trial tried, by number."""
    configs = [path / "config.yaml" for path in sorted(home.glob("trial-*"))]
    return [
        " ".join(
            line.strip()
            for line in path.read_text().splitlines()
            if line.strip().startswith(("lr:", "width:"))
        )
        for path in configs
    ]


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def pictures(home: Path) -> list[str]:
    found = sorted((home / "figures").glob("*.png"))
    assert all(size(path)[0] > 200 for path in found)
    return [path.name for path in found]


def test_a_search_ends_with_its_best_trial_and_pictures(run: Run, tmp_path: Path) -> None:
    done = run(*TOY, "sweeper.trials=8", "sweeper.startup=3", "launcher=local", f"outputs={tmp_path}")
    assert done.returncode == 0, done.stdout + done.stderr
    home = the_sweep(tmp_path)
    results = {p.parent.name: json.loads(p.read_text())["metrics"] for p in home.glob("*/result.json")}
    best = min(results, key=lambda name: results[name]["validation/nats"])
    assert f"best: {best}, validation/nats {results[best]['validation/nats']:.6g}" in done.stdout
    assert "8 of 8 trials: 8 completed" in done.stdout
    assert pictures(home) == ["history.png", "importance.png", "slices.png"]
    assert len(set(tried(home))) == 8
    again = next(line for line in done.stdout.splitlines() if line.startswith("again:"))
    assert "method=toy_flow" in again
    assert "sweeper" not in again


@pytest.mark.slow
def test_a_killed_search_goes_on_without_repeating_a_trial(
    run: Run, environment: dict[str, str], tmp_path: Path
) -> None:
    words = [*TOY, "sweeper.trials=5"]
    whole = run(*words, "launcher=local", f"outputs={tmp_path}/whole")
    assert whole.returncode == 0
    sweep = start(environment, *words, "launcher=local", f"outputs={tmp_path}/cut")
    wait_for(lambda: ended(lambda: the_sweep(tmp_path / "cut")) >= 2)
    home = the_sweep(tmp_path / "cut")
    wait_for(lambda: begun(home)["trial-0002"] == 1)  # its folder is made before
    kill(sweep)
    done = run("resume", str(home), "launcher=local")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 of 5 trials: 5 completed" in done.stdout
    assert tried(home) == tried(the_sweep(tmp_path / "whole")), "the same suggestions as unbroken"
    assert max(begun(home).values()) == 2, "the one that was under way was begun again"
    more = run("resume", str(home), "sweeper.trials=6", "launcher=local")
    assert "6 of 6 trials" in more.stdout
    assert len(set(tried(home))) == 6
    assert cli.main(["resume", str(home), "launcher=local"]) == 0, "six trials hold from now on"
    assert len(begun(home)) == 6


def test_a_trial_that_was_killed_is_not_lost(run: Run, environment: dict[str, str], tmp_path: Path) -> None:
    words = ["-m", "sweeper=optuna", f"methods.path=[{TOYS}]", "method=toy_faulty", SPACE[0]]
    words += ["method.pause=0.3", "trainer.steps=12", "trainer.eval_every=4"]
    words += ["sweeper.trials=2", "launcher=process", "launcher.jobs=1", f"outputs={tmp_path}"]
    sweep = start(environment, *words)
    wait_for(lambda: any(tmp_path.glob("sweeps/*/trial-0000/metrics.jsonl")))
    for pid in subprocess.run(
        ["pgrep", "-P", str(sweep.pid)], capture_output=True, text=True
    ).stdout.split():  # what watches the trial, too, as the system does where memory runs out
        os.kill(int(pid), signal.SIGKILL)
    out, _ = sweep.communicate(timeout=120)
    assert sweep.returncode == 1, out
    assert "1 unfinished, 1 completed" in out or "1 completed, 1 unfinished" in out
    done = run("resume", str(the_sweep(tmp_path)))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 of 2 trials: 2 completed" in done.stdout


def test_a_metric_that_no_trial_has_ends_the_search(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["sweeper.trials=4", "sweeper.metric=validation/nat", "sweeper.direction=minimize"]
    assert cli.main([*TOY, *words, "launcher=local", f"outputs={tmp_path}"]) == 1
    said = capsys.readouterr()
    assert (
        "came to no validation/nat, so the search ends; did you mean validation/nats?" in said.out + said.err
    )
    assert len(begun(the_sweep(tmp_path))) == 1


@pytest.mark.slow
def test_what_is_worse_is_cut_and_what_is_no_number_fails(run: Run, tmp_path: Path) -> None:
    words = [
        "-m", "sweeper=optuna", f"methods.path=[{TOYS}]", "method=toy_faulty", "method.fault=none,monitor",
        "method.lr=0.3,1e-4", "method.pause=0.1", "trainer.steps=40", "trainer.eval_every=2",
        "sweeper.sampler=grid", "sweeper.prune=median", "sweeper.prune_after=1", "launcher=process",
        "launcher.jobs=1", f"outputs={tmp_path}",
    ]  # fmt: skip
    done = run(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    statuses = [said["status"] for said in events(the_sweep(tmp_path)) if said["event"] == "end"]
    assert statuses.count("failed") >= 1, "one whose metric is no number, before any could be cut"
    assert "validation/mse is nan" in done.stdout
    assert "pruned" in statuses
    rows = sqlite3.connect(the_sweep(tmp_path) / "search.db").execute("select state from trials").fetchall()
    assert {state for (state,) in rows} >= {"COMPLETE", "FAIL", "PRUNED"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["method.lr=1e-3"], "has nothing to search"),
        (["method.lr=interval(1e-3,1)", "sweeper.metric=test/nats"], "the test part is not for choosing"),
        (["method.lr=interval(1,1e-3)"], "the smaller end comes first"),
        (["method.lr=interval(-1,1)"], "method.lr=-1"),
        (["method.width=interval(4,8)"], "for whole numbers: method.width='int(interval(4,8))'"),
        (["method.lr=interval(1e-3,1)", "hydra/sweeper=optuna"], "sweeper=grid or sweeper=optuna"),
        (
            ["method=toy_faulty", "dataset=toy_points", "method.maximise=true,false"],
            "what is searched over changes what is best",
        ),
        (["method.lr=1e-3,1e-2", "sweeper.trials=0"], "sweeper.trials=0 is out of range"),
    ],
)
def test_what_cannot_be_searched_is_a_sentence(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    common = [word for word in TOY if not word.startswith(("method.lr", "method.width"))]
    assert cli.main([*common, *words, f"outputs={tmp_path}"]) == 2
    errors = capsys.readouterr().err
    assert said in errors
    assert errors.count("\n") == 1
    assert not (tmp_path / "sweeps").exists()


def test_a_finished_search_has_nothing_to_do_and_cannot_shrink(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = [*TOY, "sweeper.sampler=random", "launcher=local", "sweeper.prune=median", f"outputs={tmp_path}"]
    assert cli.main([*words, "sweeper.trials=3"]) == 0
    assert "sweeper.prune=median needs launcher=process" in capsys.readouterr().out
    home = the_sweep(tmp_path)
    before = (home / "ledger.jsonl").read_bytes()
    assert cli.main(["resume", str(home)]) == 0
    out = capsys.readouterr().out
    assert "is completed; nothing to do" in out
    assert "3 of 3 trials: 3 completed" in out
    assert (home / "ledger.jsonl").read_bytes() == before
    assert cli.main(["resume", str(home), "sweeper.trials=2"]) == 2
    assert "sweeper.trials=2 is fewer than the 3 that were begun" in capsys.readouterr().err
    assert cli.main(["resume", str(home), "sweeper.trials=4"]) == 0
    assert "4 of 4 trials: 4 completed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("word", "seen"),
    [
        ("method.lr=0.001216893945540961", "method.lr=0.00121689"),
        ("method.lr=-1.2345678e-05", "method.lr=-1.23457e-05"),
        ("method.lr=0.001", "method.lr=0.001"),
        ("method.width=123456789", "method.width=123456789"),
        ("method.norm=batch", "method.norm=batch"),
    ],
)
def test_long_numbers_are_shortened_for_people(word: str, seen: str) -> None:
    assert short(word) == seen


@pytest.mark.slow
def test_a_search_on_digits_finds_a_rate_better_than_a_grids_median(run: Run, tmp_path: Path) -> None:
    common = [
        "-m",
        "method=realnvp",
        "dataset=digits",
        "method.width=8",
        "trainer.steps=60",
        "launcher=process",
    ]
    grid = run(*common, "method.lr=1e-5,1e-4,1e-3,1e-2,1e-1", f"outputs={tmp_path}/grid")
    values = [
        json.loads(path.read_text())["metrics"].get("validation/bits_per_dim", float("inf"))
        for path in the_sweep(tmp_path / "grid").glob("*/result.json")
    ]
    assert len(values) == 5, grid.stdout
    words = ["sweeper=optuna", "sweeper.trials=20", "method.lr=tag(log,interval(1e-5,1e-1))"]
    done = run(*common, *words, f"outputs={tmp_path}/search")
    assert done.returncode == 0, done.stdout
    home = the_sweep(tmp_path / "search")
    line = next(line for line in done.stdout.splitlines() if line.startswith("best:"))
    assert float(line.split()[-1]) < median(values), (line, values)
    assert "history.png" in pictures(home)
    assert len(set(tried(home))) == 20
