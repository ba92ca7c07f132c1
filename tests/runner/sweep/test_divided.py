"""What a resume with other words makes of the jobs' shares, and what is missing on this machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from runner import cli
from runner.compose import Composer
from runner.sweep import conduct, plan
from tests.runner.toys.runs import TOYS

WORDS = [f"methods.path=[{TOYS}]", "method=toy_flow", "trainer.steps=2", "trainer.eval_every=null"]


@pytest.fixture(autouse=True)
def _eight_cores(monkeypatch: pytest.MonkeyPatch, without_cuda: None) -> None:
    monkeypatch.setattr(conduct, "cores", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


def planned(home: Path, *words: str) -> Path:
    """A sweep of four jobs, two at a time, that never began."""
    from runner.sweep import command

    composer = Composer(["seed=1,2,3,4", *WORDS, "launcher.jobs=2", f"outputs={home}", *words])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "run_jobs", lambda *given: 0)
        assert command.sweep(composer) == 0
    (place,) = (home / "sweeps").iterdir()
    return place


def threads_of(place: Path) -> list[int]:
    return [yaml.safe_load(path.read_text())["threads"] for path in sorted(place.glob("*/config.yaml"))]


def resumed(place: Path, *words: str) -> list[int]:
    """How many threads the jobs are given."""
    from runner.sweep import resume

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resume, "run_jobs", lambda home, jobs, how: [job.prepare(home) for job in jobs] and 0)
        assert resume.resume(place, words) == 0
    return threads_of(place)


def test_a_resume_divides_the_cores_anew(tmp_path: Path) -> None:
    place = planned(tmp_path)
    assert json.loads((place / "sweep.json").read_text())["threads"] == 4
    assert resumed(place) == [4] * 4
    assert resumed(place, "launcher.jobs=8") == [2] * 4
    assert resumed(place, "launcher.jobs=1") == [8] * 4


def test_threads_that_were_asked_for_stay(tmp_path: Path) -> None:
    place = planned(tmp_path, "threads=4")
    assert resumed(place, "launcher.jobs=8") == [4] * 4


def test_a_plan_without_a_share_is_taken_as_it_is(tmp_path: Path) -> None:
    place = planned(tmp_path)
    saved = json.loads((place / "sweep.json").read_text())
    del saved["threads"]
    (place / "sweep.json").write_text(json.dumps(saved))
    assert plan.read(place).threads is None
    assert resumed(place, "launcher.jobs=8") == [4] * 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["seed=1,2", "device=cuda"], "device=cuda: CUDA is not available here"),
        (["seed=1,2", "device=cuda", "trainer.devices=2"], "device=cuda: CUDA is not available here"),
        (["seed=1,2", "device=cpu,cuda"], "device=cuda: CUDA is not available here"),
        (["seed=1,2", "launcher.devices=[0,1]"], "launcher.devices=[0,1]: CUDA is not available here"),
        (["seed=1,2", "dataset=digits,mnist", "data.download=false"], "mnist lacks train-images"),
        (["sweeper=optuna", "method.lr=interval(0.1,1)", "device=cuda"], "CUDA is not available here"),
        (["seed=glob(*)"], "glob() is not known here"),
        ([], "-m alone sweeps over nothing"),
    ],
)
def test_what_is_missing_is_said_before_a_folder_is_made(
    words: list[str],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    places = [f"outputs={tmp_path}/out", f"data.cache={tmp_path}/cache"] if words else []
    assert cli.main(["-m", *words, *places]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
