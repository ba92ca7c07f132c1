"""How runs of toys end, and what may differ between two runs without changing what is learned."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from tests.runner.toys.actions import command, done, lines, result, until
from tests.runner.toys.results import content, differences, snapshot, the_run
from tests.runner.toys.runs import Kill, Nursery

# ---------------------------------------------------------------------------------- what changes nothing


INTERVALS = (
    "trainer.eval_every=2",
    "trainer.select_every=5",
    "trainer.checkpoint_every=5",
    "trainer.log_every=1",
    "trainer.figures_every=3",
)
NO_FIGURES = "trainer.figures=false"
LEARNED = ("tracked", "averages", "scaler")


@pytest.mark.parametrize(
    "words",
    [
        ("method=toy_flow", "trainer.ema=0.9"),
        ("method=toy_gan", "precision=fp16", "trainer.accumulate=4"),
        ("method=toy_meta",),
        ("method=toy_captioner", "precision=bf16", "dataset.limit=100"),
    ],
    ids=lambda words: words[0].partition("=")[2],
)
def test_other_intervals_change_nothing_of_what_is_learned(
    nursery: Nursery, tmp_path: Path, words: tuple[str, ...]
) -> None:
    seldom = done(nursery, tmp_path / "a", *words)
    often = done(nursery, tmp_path / "b", *words, *INTERVALS)
    a, b = (content(home / "checkpoints" / "last.pt") for home in (seldom, often))
    assert differences({k: a[k] for k in LEARNED}, {k: b[k] for k in LEARNED}) == []
    assert result(seldom)["metrics"] == result(often)["metrics"]
    assert (seldom / "metrics.jsonl").read_bytes() != (often / "metrics.jsonl").read_bytes()


def test_figures_can_be_left_out(nursery: Nursery, tmp_path: Path) -> None:
    words = ("method=toy_gan", "trainer.steps=4")
    drawn, bare = done(nursery, tmp_path / "a", *words), done(nursery, tmp_path / "b", *words, NO_FIGURES)
    look = ("method=toy_gan", "task=evaluate", f"checkpoint={drawn}", NO_FIGURES)
    looked = done(nursery, tmp_path / "c", *look)
    assert [path.name for path in (drawn / "figures").iterdir()] == ["samples.png"]
    assert not list(bare.rglob("*.png")) + list(looked.rglob("*.png"))
    assert result(bare)["metrics"] == result(drawn)["metrics"]


@pytest.mark.parametrize(("maximise", "best"), [("false", min), ("true", max)])
def test_the_best_is_what_the_monitor_says(
    nursery: Nursery, tmp_path: Path, maximise: str, best: Callable[[Iterable[float]], float]
) -> None:
    words = ("method=toy_faulty", f"method.maximise={maximise}", "method.lr=0.3", "trainer.eval_every=2")
    home = done(nursery, tmp_path, *words)
    entries = map(json.loads, (home / "metrics.jsonl").read_text().splitlines())
    seen = [entry["validation/mse"] for entry in entries if "validation/mse" in entry]
    assert len(set(seen)) > 2
    assert result(home)["metrics"]["validation/mse"] == best(seen)


def test_an_early_stop_logs_the_steps_since_the_last_line(nursery: Nursery, tmp_path: Path) -> None:
    words = ("method=toy_meta", "method.lr=0.1", "trainer.select_every=1", "trainer.early_stop=3")
    home = done(nursery, tmp_path, *words, "trainer.log_every=100")
    steps = result(home)["steps"]
    assert steps < 12
    entries = map(json.loads, (home / "metrics.jsonl").read_text().splitlines())
    assert [entry["step"] for entry in entries if any(name.startswith("train/") for name in entry)] == [steps]


def test_other_intervals_change_no_earlier_stage(nursery: Nursery, tmp_path: Path) -> None:
    weights = []
    for name, more in (("a", ()), ("b", INTERVALS)):
        done(nursery, tmp_path / name, "method=toy_pipeline", *more)
        found = sorted((tmp_path / name / "cache" / "artifacts").glob("*/weights.pt"))
        weights.append({path.parent.name.rpartition("-")[0]: content(path) for path in found})
    assert len(weights[0]) == 2
    assert differences(*weights) == []


def test_workers_and_memory_change_nothing(nursery: Nursery, tmp_path: Path) -> None:
    ways = {
        "memory": ("dataset.in_memory=true",),
        "mapped": ("dataset.in_memory=false", "data.workers=0"),
        "workers": ("dataset.in_memory=false", "data.workers=2"),
    }
    left = []
    for name, words in ways.items():
        home = done(nursery, tmp_path / name, "method=toy_pipeline", "trainer.steps=6", *words)
        all_left = snapshot(home, tmp_path / name / "cache")
        left.append({key: value for key, value in all_left.items() if "/decoded/" not in key})
    assert differences(left[0], left[1]) == []
    assert differences(left[1], left[2]) == []


def test_a_stop_of_the_whole_group_loses_nothing_with_workers(nursery: Nursery, tmp_path: Path) -> None:
    words = ("method=toy_pipeline", "trainer.steps=10", "dataset.in_memory=false", "data.workers=2")
    whole = done(nursery, tmp_path / "a", *words)
    place = tmp_path / "b"
    place.mkdir()
    process = nursery.start(command(place, *words), place / "log")
    until(lines(place / "outputs", 3))
    os.killpg(process, signal.SIGTERM)
    assert nursery.wait(process) == 143, (place / "log").read_text()
    home = the_run(place / "outputs")
    assert nursery.run(["resume", str(home)], place / "log") == 0
    assert differences(snapshot(whole, tmp_path / "a/cache"), snapshot(home, tmp_path / "b/cache")) == []


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere workers notice it after some seconds")
def test_workers_do_not_outlive_a_run_that_is_killed(nursery: Nursery, tmp_path: Path) -> None:
    words = ("method=toy_pipeline", "trainer.steps=5000", "dataset.in_memory=false", "data.workers=2")
    process = nursery.start(command(tmp_path, *words), tmp_path / "log")
    until(lines(tmp_path / "outputs", 3))
    workers = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    os.kill(process, signal.SIGKILL)
    assert nursery.wait(process) == -signal.SIGKILL
    assert len(workers) >= 2
    until(lambda: not any(alive(worker) for worker in workers), 2.5)  # torch itself looks every 5 s


def alive(process: str) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# -------------------------------------------------------------------------------------------------- looks


@pytest.mark.parametrize("words", [("method=toy_flow", "trainer.ema=0.9"), ("method=toy_pipeline",)])
def test_evaluating_again_finds_the_same_and_changes_nothing(
    nursery: Nursery, tmp_path: Path, words: tuple[str, ...]
) -> None:
    home = done(nursery, tmp_path / "a", *words)
    before = hash_of(home)
    again = done(
        nursery, tmp_path / "b", "task=evaluate", f"checkpoint={home}", cache=tmp_path / "a" / "cache"
    )
    found = result(again)["metrics"]
    assert found
    assert found == {name: result(home)["metrics"][name] for name in found}
    assert hash_of(home) == before


@pytest.mark.parametrize("fault", ["buffer", "parameter"])
@pytest.mark.parametrize("ema", ["null", "0.9"])
def test_an_evaluation_that_changes_the_model_is_refused(
    nursery: Nursery, tmp_path: Path, fault: str, ema: str
) -> None:
    words = ("method=toy_faulty", f"method.fault={fault}", f"trainer.ema={ema}")
    assert nursery.run(command(tmp_path, *words), tmp_path / "log") == 1
    error = result(the_run(tmp_path / "outputs"))["error"]
    assert "must not change what is learned" in error
    assert ("line.seen" if fault == "buffer" else "line.linear.bias") in error


# --------------------------------------------------------------------------------------------------- ends


@pytest.mark.parametrize(
    ("fault", "at", "step", "tensor"),
    [("loss", 10, 10, "loss"), ("gradient", 10, 11, "parameter line.linear.bias")],
)
def test_numbers_that_are_not_finite_end_a_run(
    nursery: Nursery, tmp_path: Path, fault: str, at: int, step: int, tensor: str
) -> None:
    words = ("method=toy_faulty", f"method.fault={fault}", f"method.at={at}", "trainer.eval_every=null")
    assert nursery.run(command(tmp_path, *words), tmp_path / "log") == 1
    home = the_run(tmp_path / "outputs")
    found = result(home)
    assert found["status"] == "failed"
    assert f"step {step}:" in found["error"]
    on_gpu = torch.cuda.is_available()  # where the loss is looked at with each line of the log only
    assert found["steps"] == (12 if on_gpu else step - 1)
    if on_gpu:  # by then the steps that followed have spoilt a parameter
        tensor = "parameter line.linear.weight"
    assert f"first bad tensor: {'the ' if tensor == 'loss' else ''}{tensor}" in found["error"]
    saved = torch.load(home / "checkpoints" / "last.pt", weights_only=True)
    assert saved["state"]["step"] == 8
    assert all(torch.isfinite(value).all() for value in saved["tracked"]["line"].values())


def test_a_monitor_that_is_no_number_is_said_when_it_is_seen(nursery: Nursery, tmp_path: Path) -> None:
    words = ("method=toy_faulty", "method.fault=monitor", "trainer.eval_every=4")
    assert nursery.run(command(tmp_path, *words), tmp_path / "log") == 1
    assert "fitting: validation/mse is nan at step 4" in (tmp_path / "log").read_text()
    assert result(the_run(tmp_path / "outputs"))["error"] == "validation/mse is nan in the end"


def test_a_bad_update_at_a_checkpoint_is_not_saved(nursery: Nursery, tmp_path: Path) -> None:
    words = ("method=toy_faulty", "method.fault=gradient", "method.at=8", "trainer.eval_every=null")
    assert nursery.run(command(tmp_path, *words), tmp_path / "log") == 1
    home = the_run(tmp_path / "outputs")
    assert "step 8: the update left numbers" in result(home)["error"]
    assert torch.load(home / "checkpoints" / "last.pt", weights_only=True)["state"]["step"] == 4


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_during_a_slow_evaluation_saves_and_stops(
    nursery: Nursery, tmp_path: Path, number: int, code: int
) -> None:
    whole = done(nursery, tmp_path / "a", "method=toy_faulty")
    place = tmp_path / "b"
    place.mkdir()
    process = nursery.start(command(place, "method=toy_faulty", "method.pause=0.25"), place / "log")
    until(lines(place / "outputs", 1))  # step 3 is logged; the evaluation after step 5 takes a second
    time.sleep(0.1)
    os.kill(process, number)
    assert nursery.wait(process) == code
    home = the_run(place / "outputs")
    assert result(home)["status"] == "stopped"
    assert result(home)["steps"] == 5
    assert torch.load(home / "checkpoints" / "last.pt", weights_only=True)["state"]["step"] == 5
    assert nursery.run(["resume", str(home)], place / "log") == 0
    assert differences(snapshot(whole, tmp_path / "a/cache"), snapshot(home, place / "cache")) == []


def test_two_processes_do_not_work_in_one_folder(nursery: Nursery, tmp_path: Path) -> None:
    words = command(tmp_path, "method=toy_faulty", "method.pause=0.2")
    process = nursery.start(words, tmp_path / "log")
    until(lines(tmp_path / "outputs", 1))
    home = the_run(tmp_path / "outputs")
    assert nursery.run(["resume", str(home)], tmp_path / "second") == 2
    assert "in use by another process" in (tmp_path / "second").read_text()
    os.kill(process, signal.SIGTERM)
    assert nursery.wait(process) == 143


def test_parallel_starts_get_folders_of_their_own(nursery: Nursery, tmp_path: Path) -> None:
    running = [nursery.start(command(tmp_path, "method=toy_faulty"), tmp_path / f"log{i}") for i in range(6)]
    assert [nursery.wait(process) for process in running] == [0] * 6
    homes = [path.parent for path in (tmp_path / "outputs").glob("*/*/result.json")]
    assert len(homes) == 6
    assert all(result(home)["status"] == "completed" for home in homes)


def hash_of(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_resuming_a_completed_run_changes_nothing(nursery: Nursery, tmp_path: Path) -> None:
    home = done(nursery, tmp_path / "a", "method=toy_flow")
    before = hash_of(home)
    assert nursery.run(["resume", str(home)], tmp_path / "log") == 0
    assert "completed" in (tmp_path / "log").read_text()
    assert hash_of(home) == before


def test_a_crash_while_a_checkpoint_is_written_leaves_the_old_one(nursery: Nursery, tmp_path: Path) -> None:
    words = command(tmp_path / "a", "method=toy_flow")
    (tmp_path / "a").mkdir()
    assert nursery.run(words, tmp_path / "log", trace=tmp_path / "trace") == 0
    names = json.loads((tmp_path / "trace").read_text())
    writing = [line for line, name in enumerate(names, 1) if name == "serialization._save"]
    saves = [a for a, b in pairwise(writing) if b - a > 300]  # where one ends, roughly
    at = writing[writing.index(saves[1]) + 8]  # early in the third: the second one of last.pt or best.pt
    place = tmp_path / "b"
    assert nursery.run(command(place, "method=toy_flow"), tmp_path / "log", Kill(at)) == -signal.SIGKILL
    home = the_run(place / "outputs")
    leftovers = list((home / "checkpoints").glob(".*.tmp"))
    assert leftovers, "the kill was meant to come while a file is being written"
    assert content(home / "checkpoints" / "last.pt")["state"]["step"] >= 4
    assert nursery.run(["resume", str(home)], tmp_path / "log") == 0
    assert not list((home / "checkpoints").glob(".*.tmp"))
