"""Toys killed at random lines, in every stage, and resumed: all that they leave equals the unbroken run's."""

from __future__ import annotations

import json
import random
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.runner.toys.results import differences, snapshot, the_run
from tests.runner.toys.runs import COMMON, Kill, Nursery, pick

CASES = {
    "flow": ("method=toy_flow", "trainer.ema=0.9", "trainer.figures_every=4"),
    "flow_bf16": ("method=toy_flow", "precision=bf16", "trainer.accumulate=4", "trainer.clip=1"),
    "gan_fp16": ("method=toy_gan", "precision=fp16", "trainer.accumulate=4", "trainer.ema=0.9"),
    "meta": ("method=toy_meta", "trainer.select_every=1", "trainer.early_stop=3", "method.lr=0.1"),
    "pipeline": ("method=toy_pipeline", "trainer.ema=0.9", "method.finetune.steps=7"),
    "workers": (
        "method=toy_pipeline",
        "dataset.in_memory=false",
        "data.workers=2",
        "trainer.steps=6",
    ),
    "captioner": ("method=toy_captioner", "trainer.accumulate=4", "dataset.limit=100"),
}
QUICK, MANY = 1, 12


@dataclass(frozen=True)
class Unbroken:
    """A run that nobody disturbed: what it left, and the functions whose lines it went through."""

    left: dict[str, Any]
    names: list[str]


@pytest.fixture(scope="session")
def unbroken(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """`unbroken(case)` runs the case once."""
    done: dict[str, Unbroken] = {}

    def get(case: str) -> Unbroken:
        if case not in done:
            place = tmp_path_factory.mktemp(case)
            assert nursery.run(words(case, place), place / "log", trace=place / "trace") == 0
            names = json.loads((place / "trace").read_text())
            done[case] = Unbroken(snapshot(the_run(place / "outputs"), place / "cache"), names)
        return done[case]

    return get


def words(case: str, place: Path) -> list[str]:
    """The command of a case, which writes below `place`; what the case says comes last and wins."""
    return [*COMMON, f"outputs={place / 'outputs'}", f"data.cache={place / 'cache'}", *CASES[case]]


def check(nursery: Nursery, case: str, place: Path, unbroken: Unbroken, key: str) -> None:
    """Runs a case with one to three kills on the way, and compares what it leaves."""
    dice, command, log = random.Random(f"{case} {key}"), words(case, place), place / "log"
    for _ in range(dice.choice((1, 1, 2, 3))):
        kill = Kill(pick(unbroken.names, dice), dice.choice((signal.SIGTERM, signal.SIGKILL, signal.SIGKILL)))
        code = nursery.run(command, log, kill)
        assert code in (0, -signal.SIGKILL, 128 + signal.SIGTERM), log.read_text()
        command = ["resume", str(the_run(place / "outputs"))]
    assert nursery.run(command, log) == 0, log.read_text()
    left = snapshot(the_run(place / "outputs"), place / "cache")
    assert differences(unbroken.left, left) == []


@pytest.mark.parametrize("key", range(QUICK))
@pytest.mark.parametrize("case", CASES)
def test_killed_runs_leave_what_unbroken_ones_do(
    nursery: Nursery, unbroken: Any, tmp_path: Path, case: str, key: int
) -> None:
    check(nursery, case, tmp_path, unbroken(case), str(key))


@pytest.mark.slow
@pytest.mark.parametrize("key", range(QUICK, QUICK + MANY))
@pytest.mark.parametrize("case", CASES)
def test_many_killed_runs(nursery: Nursery, unbroken: Any, tmp_path: Path, case: str, key: int) -> None:
    check(nursery, case, tmp_path, unbroken(case), str(key))


MOMENTS = {
    "while a checkpoint is written": ("flow", "serialization._save", signal.SIGKILL),
    "between two files of a checkpoint": ("flow", "loop._select", signal.SIGKILL),
    "while an evaluation looks": ("flow", "method.evaluate", signal.SIGTERM),
    "killed in an evaluation": ("pipeline", "training.evaluate", signal.SIGKILL),
    "between step and bookkeeping": ("gan_fp16", "loop._collect", signal.SIGTERM),
    "while an artifact gets its name": ("pipeline", "store.settle", signal.SIGKILL),
    "while an artifact is noted": ("captioner", "ledger.note_artifact", signal.SIGKILL),
    "in a block that computes": ("pipeline", "compute.run", signal.SIGKILL),
    "between blocks": ("captioner", "compute.blocks", signal.SIGTERM),
    "while figures are drawn": ("flow", "method.figures", signal.SIGKILL),
    "after the last stage": ("meta", "ledger.finish_stage", signal.SIGKILL),
}


def test_a_stop_in_the_last_look_of_training(nursery: Nursery, unbroken: Any, tmp_path: Path) -> None:
    whole = unbroken("flow")
    chosen = max(line for line, name in enumerate(whole.names, 1) if name == "loop._select")
    looking = [i for i, name in enumerate(whole.names[:chosen], 1) if name == "method.evaluate"]
    kill = Kill(looking[-8], signal.SIGTERM)  # two batches before its end
    assert nursery.run(words("flow", tmp_path), tmp_path / "log", kill) == 143
    home = the_run(tmp_path / "outputs")
    assert nursery.run(["resume", str(home)], tmp_path / "log") == 0
    assert differences(whole.left, snapshot(home, tmp_path / "cache")) == []


def test_looks_that_count_towards_early_stop_are_not_forgotten(
    nursery: Nursery, unbroken: Any, tmp_path: Path
) -> None:
    whole, more = unbroken("meta"), "trainer.checkpoint_every=1"
    assert whole.left["run/checkpoints/last.pt"]["state"]["waited"] == 3
    command, log = [*words("meta", tmp_path), more], tmp_path / "log"
    assert nursery.run(command, log, trace=tmp_path / "trace") == 0
    names = json.loads((tmp_path / "trace").read_text())
    at = max(line for line, name in enumerate(names, 1) if name == "loop._select") - 2
    place = tmp_path / "killed"
    assert nursery.run([*words("meta", place), more], log, Kill(at)) == -signal.SIGKILL
    home = the_run(place / "outputs")
    assert nursery.run(["resume", str(home)], log) == 0
    assert differences(whole.left, snapshot(home, place / "cache")) == []


def test_what_was_computed_before_a_kill_is_not_computed_again(
    nursery: Nursery, unbroken: Any, tmp_path: Path
) -> None:
    names = unbroken("captioner").names
    at = 2 + next(line for line, name in enumerate(names, 1) if name == "store.sweep")
    assert nursery.run(words("captioner", tmp_path), tmp_path / "log", Kill(at)) == -signal.SIGKILL
    home = the_run(tmp_path / "outputs")
    assert nursery.run(["resume", str(home)], tmp_path / "log") == 0
    log = (tmp_path / "log").read_text()
    assert log.count("toy_pipeline/pretrain: 12 steps") == 1
    assert log.count("toy_pipeline/pretrain: taken from") == 1


@pytest.mark.parametrize("moment", MOMENTS)
def test_kills_at_delicate_moments(nursery: Nursery, unbroken: Any, tmp_path: Path, moment: str) -> None:
    case, function, number = MOMENTS[moment]
    whole = unbroken(case)
    lines = [line for line, name in enumerate(whole.names, 1) if name == function]
    assert lines, f"{function} is not among what the run goes through"
    kill = Kill(random.Random(moment).choice(lines), number)
    code = nursery.run(words(case, tmp_path), tmp_path / "log", kill)
    home = the_run(tmp_path / "outputs")
    if number == signal.SIGTERM:
        assert code == 143
        assert json.loads((home / "result.json").read_text())["status"] == "stopped"
    assert nursery.run(["resume", str(home)], tmp_path / "log") == 0
    assert differences(whole.left, snapshot(home, tmp_path / "cache")) == []
