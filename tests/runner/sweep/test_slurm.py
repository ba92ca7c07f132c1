"""Sweeps on Slurm, against commands that stand in for it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from runner import cli
from tests.runner.conftest import Run
from tests.runner.sweep.test_processes import COMMON, begun, ran_to_the_end, start, the_sweep, wait_for

STUB = Path(__file__).with_name("slurm_stub.py")
JOBS = ("method=toy_faulty", "method.pause=0.4", "seed=1,2")


@pytest.fixture
def cluster(environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """An environment with the commands of a cluster."""
    place = tmp_path / "bin"
    place.mkdir()
    for name in ("sbatch", "srun", "scontrol", "scancel", "sacct"):
        (place / name).write_text(f"#!{sys.executable}\n{STUB.read_text()}")
        (place / name).chmod(0o755)
    (tmp_path / "state").mkdir()
    path = f"{place}:{environment['PATH']}"
    return {**environment, "PATH": path, "SLURM_STUB": str(tmp_path / "state")}


def words(outputs: Path, *more: str) -> list[str]:
    common = [word for word in COMMON if not word.startswith("launcher")]
    return ["-m", *common, *JOBS, "launcher=slurm", "launcher.cpus=1", f"outputs={outputs}", *more]


def script(state: Path) -> dict[str, str]:
    """The options that a submitted script sets."""
    (path,) = state.glob("*.sh")
    lines = [line.removeprefix("#SBATCH --") for line in path.read_text().splitlines() if "#SBATCH" in line]
    return dict(line.partition("=")[::2] for line in lines)


def test_the_script_says_what_was_asked_for(
    run: Run,
    cluster: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    more = [
        "launcher.partition=gpu", "launcher.account=me", "launcher.minutes=90", "launcher.gpus=1",
        "launcher.jobs=1", "launcher.memory_gb=1.5", "launcher.signal_seconds=60",
        "launcher.setup=[module load cuda]",
        "launcher.extra=['exclude=node17']", "method.pause=0",
    ]  # fmt: skip
    done = run(*words(tmp_path / "out", *more), **{k: cluster[k] for k in ("PATH", "SLURM_STUB")})
    assert done.returncode == 0, done.stdout + done.stderr
    options, home = script(tmp_path / "state"), the_sweep(tmp_path / "out")
    wanted = {
        "partition": "gpu", "account": "me", "time": "90", "gpus-per-node": "1", "cpus-per-task": "1",
        "mem": "1536MB", "signal": "USR2@60", "exclude": "node17", "array": "0-1%1", "nodes": "1",
        "job-name": f"reclaim-{home.name}",
    }  # fmt: skip
    assert {name: options.get(name) for name in wanted} == wanted
    place = Path(cluster["HOME"]) / ".cache" / "reclaim" / "exchange" / home.name
    assert Path(options["output"]).parent == place, "what is unpickled is not where a sweep comes from"
    text = next((tmp_path / "state").glob("*.sh")).read_text()
    assert "\nmodule load cuda\n" in text
    assert "srun" in text
    assert text.index("module load") < text.index("srun")
    assert ran_to_the_end(home) == {"seed=1": 1, "seed=2": 1}
    assert not list(place.glob("*.pkl")), "what was pickled is gone"
    (home / "seed=1" / "result.json").unlink()
    monkeypatch.setenv("PATH", cluster["PATH"])
    assert cli.main(["resume", str(home)]) == 2, "a folder may come from somebody else"
    assert """'launcher.setup=["module load cuda"]'""" in capsys.readouterr().err


def test_a_preempted_job_goes_on_in_its_folder(run: Run, cluster: dict[str, str], tmp_path: Path) -> None:
    state = tmp_path / "state"
    sweep = start(cluster, *words(tmp_path / "out"))
    wait_for(lambda: all(begun_to_learn(tmp_path, seed) for seed in (1, 2)))
    (pid,) = state.glob("*_0.pid")
    for number in (signal.SIGCONT, signal.SIGTERM, signal.SIGUSR2):  # what Slurm sends
        os.kill(int(pid.read_text()), number)
    out, _ = sweep.communicate(timeout=120)
    assert sweep.returncode == 0, out
    assert f"scontrol requeue {pid.stem}" in (state / "calls.txt").read_text()
    assert (state / "calls.txt").read_text().count("sbatch") == 1
    home = the_sweep(tmp_path / "out")
    assert sorted(path.name for path in home.iterdir() if path.is_dir()) == ["seed=1", "seed=2"]
    assert "going on after step" in (home / "seed=1" / "run.log").read_text()
    assert ran_to_the_end(home) == {"seed=1": 1, "seed=2": 1}


def begun_to_learn(place: Path, seed: int) -> bool:
    return any(path.stat().st_size for path in place.glob(f"out/sweeps/*/seed={seed}/metrics.jsonl"))


@pytest.mark.slow
def test_jobs_outlive_the_command_and_are_taken_up_again(
    run: Run, cluster: dict[str, str], tmp_path: Path
) -> None:
    sweep = start(cluster, *words(tmp_path / "out"))
    wait_for(lambda: begun_to_learn(tmp_path, 1))
    os.killpg(sweep.pid, signal.SIGINT)
    out, _ = sweep.communicate(timeout=60)
    assert sweep.returncode == 130, out
    assert "the jobs go on without this command" in out
    home = the_sweep(tmp_path / "out")
    done = run("resume", str(home), **{k: cluster[k] for k in ("PATH", "SLURM_STUB")})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "seed=1 was begun already; waiting for it" in done.stdout
    assert begun(home) == {"seed=1": 1, "seed=2": 1}, "nothing was submitted twice"
    assert ran_to_the_end(home) == {"seed=1": 1, "seed=2": 1}
