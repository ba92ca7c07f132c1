"""Runs of several processes: the same curve as one alone, one folder, and an end for all when one ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from runner.engine.team import batch_statistics
from tests.runner.conftest import Run
from tests.runner.sweep.test_processes import processes_about, start, wait_for
from tests.runner.toys.runs import TOYS

REALNVP = (
    "method=realnvp", "dataset=digits", "method.flow_bn=none", "method.net_norm=none", "method.width=8",
    "trainer.steps=50", "trainer.eval_every=25", "trainer.log_every=1", "threads=1", "device=cpu",
)  # fmt: skip
TOY = (
    f"methods.path=[{TOYS}]", "trainer.steps=12", "trainer.eval_every=5", "trainer.log_every=1",
    "trainer.checkpoint_every=4", "threads=1", "device=cpu",
)  # fmt: skip


def the_run(outputs: Path) -> Path:
    (found,) = outputs.glob("*/*")
    return found


def curve(place: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (place / "metrics.jsonl").read_text().splitlines()]


def values(place: Path, name: str) -> torch.Tensor:
    return torch.tensor([entry[name] for entry in curve(place) if name in entry], dtype=torch.float64)


def trained(run: Run, outputs: Path, *words: str) -> Path:
    done = run(*words, f"outputs={outputs}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stderr
    return the_run(outputs)


@pytest.fixture(scope="module")
def alone(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(run, tmp_path_factory.mktemp("alone"), *REALNVP)


@pytest.mark.parametrize("starts", ["trainer.devices", pytest.param("torchrun", marks=pytest.mark.slow)])
def test_two_processes_learn_what_one_does(
    starts: str, run: Run, alone: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    if starts == "torchrun":
        command = [str(Path(sys.executable).parent / "torchrun"), "--standalone", "--nproc_per_node=2"]
        words = [*command, "-m", "runner", *REALNVP, f"outputs={tmp_path}"]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        both = the_run(tmp_path)
    else:
        both = trained(run, tmp_path, *REALNVP, "trainer.devices=2")
    assert len(values(both, "train/loss")) == 50
    for name, tolerance in (("train/loss", 0.0), ("train/bits_per_dim", 1e-5)):
        torch.testing.assert_close(values(both, name), values(alone, name), rtol=1e-6, atol=tolerance)
    results = [json.loads((place / "result.json").read_text()) for place in (alone, both)]
    ours, theirs = (torch.tensor(list(result["metrics"].values())) for result in results)
    torch.testing.assert_close(theirs, ours, rtol=1e-5, atol=1e-4)
    assert results[1]["numerics"]["devices"] == 2
    assert len(list(both.glob("events.out.tfevents.*"))) == 1
    assert names_in(both) == names_in(alone)
    assert "devices: 2" in (both / "config.yaml").read_text()


@pytest.mark.slow
def test_another_method_learns_the_same_with_dropout(run: Run, tmp_path: Path) -> None:
    words = ["method=pixelcnn", "dataset=digits", *REALNVP[-4:]]
    one, two = (trained(run, tmp_path / f"{n}", *words, f"trainer.devices={n}") for n in (1, 2))
    assert len(values(two, "train/loss")) == 50
    torch.testing.assert_close(values(two, "train/loss"), values(one, "train/loss"), rtol=1e-5, atol=0)


def names_in(place: Path) -> list[str]:
    return sorted(path.name.split(".tfevents")[0] for path in place.iterdir())


ALIKE = {
    "toy_gan method.norm=none trainer.accumulate=2 dataset.batch_size=7": True,  # two optimisers
    "toy_meta": True,  # gradients set by hand
    "toy_captioner": False,  # an artifact of another method, trained before; its batch statistics differ
}


@pytest.mark.parametrize(
    "method", [one if "gan" in one else pytest.param(one, marks=pytest.mark.slow) for one in ALIKE]
)
def test_every_kind_of_stage_can_be_shared(method: str, run: Run, tmp_path: Path) -> None:
    words = [*TOY, *f"method={method}".split()]
    one, two = (
        trained(run, tmp_path / f"{n}", *words, f"trainer.devices={n}", f"data.cache={tmp_path}/cache{n}")
        for n in (1, 2)
    )
    ours, theirs = curve(one), curve(two)
    assert [(e["stage"], e["step"]) for e in ours] == [(e["stage"], e["step"]) for e in theirs]
    for entry, other in zip(ours, theirs, strict=True):
        for name in (name for name in entry if name.startswith("train/") and ALIKE[method]):
            assert other[name] == pytest.approx(entry[name], rel=2e-4, abs=1e-5), (name, entry["step"])


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)])
def test_a_run_that_is_stopped_goes_on_as_if_it_had_not_been(
    number: int, run: Run, environment: dict[str, str], tmp_path: Path
) -> None:
    words = [*TOY, "method=toy_flow", "trainer.steps=300", "trainer.devices=2"]
    whole = trained(run, tmp_path / "whole", *words)
    process = start(environment, *words, f"outputs={tmp_path}/cut")
    wait_for(lambda: any(len(p.read_bytes()) > 1000 for p in tmp_path.glob("cut/*/*/metrics.jsonl")))
    os.kill(process.pid, number)
    process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else -9)
    cut = the_run(tmp_path / "cut")
    wait_for(lambda: not processes_about(cut), 20)
    if number == signal.SIGINT:
        assert json.loads((cut / "result.json").read_text())["status"] == "stopped"
    done = run("resume", str(cut))
    assert done.returncode == 0, done.stdout + done.stderr
    assert curve(cut) == curve(whole)
    mine, theirs = (
        torch.load(p / "checkpoints" / "last.pt", weights_only=True)["tracked"]["flow"] for p in (cut, whole)
    )
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)


def test_what_fails_in_one_process_is_said_by_the_lead(run: Run, tmp_path: Path) -> None:
    words = [*TOY, "method=toy_faulty", "method.fault=second", "method.at=6", "trainer.devices=2"]
    done = run(*words, f"outputs={tmp_path}")
    assert done.returncode == 1
    assert "failed: process 1: RuntimeError: this was asked for" in done.stderr
    result = json.loads((the_run(tmp_path) / "result.json").read_text())
    assert (result["status"], result["steps"]) == ("failed", 5)
    assert "Traceback" in (the_run(tmp_path) / "run.log").read_text()


@pytest.mark.slow
def test_numbers_that_are_not_finite_end_all_alike(run: Run, tmp_path: Path) -> None:
    words = [*TOY, "method=toy_faulty", "method.fault=loss", "method.at=6", "trainer.devices=2"]
    done = run(*words, f"outputs={tmp_path}")
    assert done.returncode == 1
    assert "step 6: the loss is nan" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trainer.devices=0"], "trainer.devices=0 is out of range"),
        (["trainer.devices=2", "device=cuda:1"], "device=cuda:1 is one device"),
        (["trainer.devices=3", "dataset.batch_size=2"], "cannot be divided among trainer.devices=3"),
    ],
)
def test_what_cannot_be_is_one_sentence(words: list[str], said: str, run: Run, tmp_path: Path) -> None:
    done = run(*TOY, "method=toy_flow", *words, f"outputs={tmp_path}")
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr


def test_a_process_without_a_batch_to_evaluate_adds_nothing(run: Run, tmp_path: Path) -> None:
    words = [*REALNVP, "trainer.steps=3", "dataset.limit=9", "dataset.batch_size=9"]
    one, two = (trained(run, tmp_path / f"{n}", *words, f"trainer.devices={n}") for n in (1, 2))
    ours, theirs = (json.loads((place / "result.json").read_text())["metrics"] for place in (one, two))
    assert theirs == pytest.approx(ours, rel=1e-4)


def test_batch_normalisation_is_found_since_each_process_has_its_own() -> None:
    net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2), torch.nn.InstanceNorm1d(2))
    assert batch_statistics({"net": net, "norm": torch.nn.BatchNorm1d(1)}) == ["net.1", "norm"]


@pytest.mark.slow
def test_looking_again_needs_no_team(run: Run, tmp_path: Path) -> None:
    place = trained(run, tmp_path / "out", *TOY, "method=toy_flow", "trainer.devices=2")
    done = run("task=evaluate", f"checkpoint={place}", f"outputs={tmp_path}/again")
    assert done.returncode == 0, done.stderr
    ours, theirs = (
        json.loads((p / "result.json").read_text())["metrics"] for p in (the_run(tmp_path / "again"), place)
    )
    assert ours == pytest.approx(theirs, rel=1e-12)
