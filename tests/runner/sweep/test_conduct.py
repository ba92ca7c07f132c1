"""How jobs are divided among cores and devices, and what may be said about it."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from runner import cli
from runner.compose import Composer
from runner.errors import ConfigError
from runner.sweep import conduct
from runner.sweep.conduct import Conduct, widest
from runner.sweep.engines import exchange
from runner.sweep.settings import LocalSettings, SlurmSettings, StockSettings, launcher_settings


@pytest.fixture(autouse=True)
def _eight_cores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(conduct, "cores", lambda: 8)
    monkeypatch.setattr(conduct, "NVIDIA", Path("/nowhere"))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    (tmp_path / "srun").touch(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


def of(*words: str, jobs: int = 20) -> Conduct:
    composer = Composer(list(words))
    composed = composer.compose()
    how = [word for word in composer.words if word.startswith(("launcher", "hydra"))]
    return Conduct.of(composed.how, how, composed.root, jobs)


@pytest.mark.parametrize(
    ("words", "jobs", "capacity", "threads"),
    [
        ([], 20, 8, 1),
        ([], 3, 3, 2),
        (["launcher.jobs=2"], 20, 2, 4),
        (["threads=4"], 20, 2, 4),
        (["threads=16"], 20, 1, 8),
        (["launcher.jobs=4"], 2, 2, 4),
        (["launcher=slurm", "launcher.cpus=6"], 20, 20, 6),
    ],
)
def test_cores_are_divided(words: list[str], jobs: int, capacity: int, threads: int) -> None:
    how = of(*words, jobs=jobs)
    assert (how.capacity, how.threads) == (capacity, threads)


@pytest.mark.parametrize(("told", "threads"), [("1", 1), ("3", 3), ("64", 4), ("", 4), ("some", 4)])
def test_omp_num_threads_is_the_most_that_a_job_gets(
    told: str, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", told)
    assert of("launcher.jobs=2").threads == threads


@pytest.mark.parametrize(
    ("words", "jobs", "said"),
    [
        ([], 20, "20 jobs by launcher=process, 8 at a time, 1 thread each"),
        ([], 3, "3 jobs by launcher=process, 3 at a time, 2 threads each"),
        (["launcher.jobs=1"], 3, "3 jobs by launcher=process, 1 at a time, 8 threads each"),
        (["threads=9"], 3, "3 jobs by launcher=process, 1 at a time, 9 threads each"),
        ([], 1, "1 job by launcher=local"),
        (["hydra/launcher=basic"], 3, "3 jobs by launcher=local"),
    ],
)
def test_what_is_announced_is_what_is_done(words: list[str], jobs: int, said: str) -> None:
    assert of(*words, jobs=jobs).announced(jobs) == said


def test_a_job_that_says_its_threads_keeps_them() -> None:
    composer = Composer([])
    for words, threads in (([], 1), (["threads=3"], 3)):
        composed = of().shared(composer.compose(words))
        assert composed.root.threads == composed.config["threads"] == threads


@pytest.mark.parametrize(
    ("words", "visible", "shares"),
    [
        ([], None, None),
        ([], "3,5", ("3", "5")),
        ([], "", None),
        ([], "-1", None),
        ([], "NoDevFiles", None),
        ([], "1,-1,2", ("1",)),
        (["device=cpu"], "3,5", None),
        (["device=cuda:1"], "3,5", None),
        (["launcher.devices=[0,0,1]"], None, ("0", "0", "1")),
        (["launcher.devices=[GPU-a,GPU-b]"], None, ("GPU-a", "GPU-b")),
    ],
)
def test_devices_are_divided(
    words: list[str], visible: str | None, shares: tuple[str, ...] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    how = of(*words)
    assert how.shares == shares
    assert how.capacity == (len(shares) if shares else 8)


def test_the_job_that_takes_most_devices_says_how_they_are_divided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    composed = Composer([]).compose()
    assert Conduct.of(composed.how, [], widest(composed.root, [1, 2]), 8).shares == ("0,1", "2,3")


def test_one_job_runs_in_this_process_unless_it_is_said_otherwise() -> None:
    assert isinstance(of(jobs=1).launcher, LocalSettings)
    assert of(jobs=2).launcher.name == "process"
    assert of("launcher=process", jobs=1).launcher.name == "process"


def test_hydras_name_for_a_choice_is_understood() -> None:
    assert of("hydra/launcher=process").launcher.name == "process"
    assert isinstance(of("hydra/launcher=slurm").launcher, SlurmSettings)
    assert of("hydra/launcher=basic", jobs=1).launcher.name == "local"
    words = ["hydra/launcher=joblib"]
    composed = Composer([]).compose()
    assert Conduct.of(composed.how, words, composed.root, 5).launcher == StockSettings("joblib")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-m", "launcher=proces"], "launcher=proces is not known; did you mean process?"),
        (["-m", "launcher.jobs=0"], "launcher.jobs=0 is out of range"),
        (
            ["-m", "launcher=local", "launcher.jobs=2"],
            "conf/launcher/local.yaml; launcher=auto or process or slurm has it",
        ),
        (["-m", "launcher.timeout_minutes=-1"], "launcher.timeout_minutes=-1.0 is out of range"),
        (["-m", "sweep.retries=-1"], "sweep.retries=-1 is out of range"),
        (["-m", "sweep.on_error=halt"], "sweep.on_error=halt is not one of continue, stop"),
        (["-m", "method.lr=interval(1e-4,1e-2)"], "add sweeper=optuna"),
        (["-m", "sweeper.trials=3", "seed=1,2"], "sweeper=optuna has it"),
        (["-m", "seed=range(0)"], "there is no job to run"),
        (["-m", "launcher.devices=[]", "seed=1,2"], "lists no device"),
        (["-m", "~launcher.job", "seed=1,2"], "launcher.job"),
        (["-m", "launcher=local,process"], "cannot be swept over"),
        (["-m", "sweep.retries=1,2"], "cannot be swept over"),
        (["-m", "outputs=a,b"], "outputs says where the sweep's folder lies"),
        (["-m", "seed=1,2", "launcher=process", "hydra/launcher=joblib"], "both say what starts the jobs"),
        (["launcher=process"], "add -m"),
        (["sweep.retries=1"], "add -m"),
        (["-m", "launcher=slurm", "seed=1,2"], "there is no Slurm here"),
        (["-m", "seed=1,2,1"], "two jobs are the same, seed=1"),
    ],
)
def test_what_is_said_wrongly_is_a_sentence(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("PATH", "/nowhere")
    assert cli.main([*words, f"outputs={tmp_path}"]) == 2
    errors = capsys.readouterr().err
    assert said in errors
    assert errors.count("\n") == 1


def test_slurm_settings_hold_what_the_yaml_says() -> None:
    node: dict[str, Any] = {**Composer(["launcher=slurm"]).compose().how["launcher"]}
    assert isinstance(launcher_settings(node), SlurmSettings)
    with pytest.raises(ConfigError, match=r"launcher\.minutes=0"):
        launcher_settings({**node, "minutes": 0})
    with pytest.raises(ConfigError, match="more than one line"):  # of a script that is run
        launcher_settings({**node, "partition": "gpu\nrm -rf /"})


def test_the_files_that_are_unpickled_are_ours_alone(tmp_path: Path) -> None:
    place = exchange(tmp_path / "x")
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    place.chmod(0o755)
    with pytest.raises(ConfigError, match="can be read by others"):
        exchange(place)
    place.chmod(0o700)
    os.rename(place, tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="can be read by others"):
        exchange(place)
