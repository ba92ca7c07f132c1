"""Sweeps whose jobs are real processes: what fails is named, what is killed goes on, once each."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner import cli
from tests.runner.conftest import Run
from tests.runner.toys.runs import TOYS

COMMON = (
    "launcher=process",
    "launcher.jobs=2",
    f"methods.path=[{TOYS}]",
    "trainer.steps=12",
    "trainer.eval_every=4",
    "trainer.checkpoint_every=4",
)


def the_sweep(outputs: Path) -> Path:
    (home,) = (outputs / "sweeps").iterdir()
    return home


def events(home: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (home / "ledger.jsonl").read_bytes().splitlines()]


def begun(home: Path) -> Counter[str]:
    return Counter(said["job"] for said in events(home) if said["event"] == "begin")


def statuses(home: Path) -> dict[str, str]:
    return {said["job"]: said["status"] for said in events(home) if said["event"] == "end"}


def ran_to_the_end(home: Path) -> dict[str, int]:
    """How often each job came to its final metrics."""
    return {log.parent.name: log.read_text().count("curves:") for log in home.glob("*/run.log")}


def test_what_fails_is_named_and_a_resume_runs_just_that(run: Run, tmp_path: Path) -> None:
    fuse = tmp_path / "fuse"
    fuse.touch()
    done = run(
        "-m", *COMMON, "launcher.jobs=3", "launcher.timeout_minutes=0.4", "launcher.grace_seconds=1",
        "method=toy_faulty", "method.fault=hang,raise,exit,kill", f"method.fuse={fuse},{tmp_path}/none",
        "method.at=9", f"outputs={tmp_path}/out",
    )  # fmt: skip
    home = the_sweep(tmp_path / "out")
    assert done.returncode == 1, done.stdout + done.stderr
    assert Counter(statuses(home).values()) == {"completed": 4, "failed": 4}
    failed = {name: name.split("=")[1].split(",")[0] for name, s in statuses(home).items() if s == "failed"}
    assert sorted(failed.values()) == ["exit", "hang", "kill", "raise"]
    said = {failed[e["job"]]: e["error"] for e in events(home) if e["event"] == "end" and e["job"] in failed}
    assert said["raise"] == "RuntimeError: this was asked for"
    assert said["exit"] == "SystemExit: sys.exit(3)"
    assert "SIGKILL" in said["kill"]
    assert "took longer than 24 s" in said["hang"]
    assert "method.py" in said["hang"], "the line at which it hangs"
    for name, fault in failed.items():
        assert said[fault] in done.stdout
        assert said[fault] in (home / name / "run.log").read_text()
        assert ("Traceback" in (home / name / "run.log").read_text()) == (fault in ("raise", "exit"))
    assert "4 completed, 4 failed" in done.stdout

    fuse.unlink()
    before = begun(home)
    again = run("resume", str(home))
    assert again.returncode == 0, again.stdout + again.stderr
    assert {name for name, count in begun(home).items() if count > before[name]} == set(failed)
    assert set(statuses(home).values()) == {"completed"}
    assert all("going on after step 8" in (home / n / "run.log").read_text() for n in failed)

    assert run("resume", str(home)).stdout.endswith("is completed, 8 jobs; nothing to do\n")
    assert cli.main(["resume", str(home), "launcher=proces"]) == 2, "words are looked at all the same"
    assert cli.main(["resume", str(home), str(home)]) == 2, "one folder at a time"


def start(environment: dict[str, str], *words: str) -> subprocess.Popen[str]:
    command = [str(Path(sys.executable).parent / "run"), *words]
    return subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip


def kill(process: subprocess.Popen[str]) -> None:
    """Ends it at once; what it started may hold the other end of its output, which is not waited for."""
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def ended(home: Callable[[], Path]) -> int:
    try:
        return len(statuses(home()))
    except (ValueError, OSError):
        return 0


SLOWLY = (*COMMON, "method=toy_faulty", "method.pause=0.3", "seed=1,2,3,4,5")


def test_a_killed_sweep_goes_on_and_runs_each_job_to_its_end_once(
    run: Run, environment: dict[str, str], tmp_path: Path
) -> None:
    sweep = start(environment, "-m", *SLOWLY, f"outputs={tmp_path}")
    wait_for(lambda: ended(lambda: the_sweep(tmp_path)) >= 2)
    home = the_sweep(tmp_path)
    wait_for(lambda: begun_to_learn(home) >= 3, 30)  # the next are under way
    kill(sweep)
    done = run("resume", str(home))
    assert done.returncode == 0, done.stdout + done.stderr
    assert ran_to_the_end(home) == {f"seed={seed}": 1 for seed in range(1, 6)}
    assert not (home / ".exchange").exists(), "what the killed one left is gone"
    assert sum(begun(home).values()) > 5, "some were begun again"


def begun_to_learn(home: Path) -> int:
    return sum(path.stat().st_size > 0 for path in home.glob("*/metrics.jsonl"))


def test_jobs_end_with_a_killed_sweep(environment: dict[str, str], tmp_path: Path) -> None:
    words = [*COMMON, "method=toy_faulty", "method.fault=hang,deaf", "launcher.grace_seconds=0.5"]
    sweep = start(environment, "-m", *words, f"outputs={tmp_path}")
    wait_for(lambda: len(list(tmp_path.glob("sweeps/*/*/metrics.jsonl"))) == 2)
    kill(sweep)
    wait_for(lambda: not processes_about(tmp_path), 15)
    assert not statuses(the_sweep(tmp_path)), "nobody was there to see their end"


def processes_about(place: Path) -> list[str]:
    found = subprocess.run(["pgrep", "-f", str(place)], capture_output=True, text=True)
    return found.stdout.split()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_a_stopped_sweep_saves_its_jobs(
    number: int, code: int, run: Run, environment: dict[str, str], tmp_path: Path
) -> None:
    words = [*COMMON, "method=toy_faulty", "method.pause=0.3", "seed=1,2,3", f"outputs={tmp_path}"]
    sweep = start(environment, "-m", *words)
    wait_for(lambda: any(path.stat().st_size for path in tmp_path.glob("sweeps/*/*/metrics.jsonl")))
    os.killpg(sweep.pid, number)  # as a terminal does
    out, _ = sweep.communicate(timeout=60)
    assert sweep.returncode == code, out
    home = the_sweep(tmp_path)
    results = [json.loads(path.read_text()) for path in home.glob("*/result.json")]
    assert {result["status"] for result in results} <= {"stopped", "completed"}
    assert "stopped" in {result["status"] for result in results}
    assert f"go on:   run resume {home}" in out
    assert run("resume", str(home), "launcher=local").returncode == 0
    assert ran_to_the_end(home) == {f"seed={seed}": 1 for seed in (1, 2, 3)}


def test_a_stop_as_soon_as_a_job_is_begun_is_no_failure(environment: dict[str, str], tmp_path: Path) -> None:
    words = [*COMMON, "method=toy_faulty", "method.pause=0.3", "seed=1,2", f"outputs={tmp_path}"]
    sweep = start(environment, "-m", *words)
    wait_for(lambda: any("begin" in p.read_text() for p in tmp_path.glob("sweeps/*/ledger.jsonl")))
    sweep.terminate()
    out, _ = sweep.communicate(timeout=60)
    assert sweep.returncode == 143, out
    assert "failed" not in out
    assert set(statuses(the_sweep(tmp_path)).values()) <= {"stopped", "completed"}


def test_a_file_where_a_sweep_is_started_is_not_run(run: Run, tmp_path: Path) -> None:
    (tmp_path / "random.py").write_text("open('was_run', 'w'); raise SystemExit(7)")
    words = [*COMMON, "method=toy_faulty", "seed=1,2", "launcher=process", f"outputs={tmp_path}"]
    assert run("-m", *words, cwd=tmp_path).returncode == 0
    assert not (tmp_path / "was_run").exists()


def test_a_signal_to_one_job_is_its_failure_alone(environment: dict[str, str], tmp_path: Path) -> None:
    words = [*COMMON, "method=toy_faulty", "method.pause=0.5", "seed=1,2", f"outputs={tmp_path}"]
    sweep = start(environment, "-m", *words)
    wait_for(lambda: len(list(tmp_path.glob("sweeps/*/seed=1/metrics.jsonl"))) == 1)
    (worker,) = [
        int(n)
        for n in processes_about(tmp_path)
        if b"resume" in commandline(n) and b"seed=1" in commandline(n)
    ]
    os.kill(worker, signal.SIGTERM)
    out, _ = sweep.communicate(timeout=60)
    assert sweep.returncode == 1
    assert "1 stopped" in out
    assert "1 completed" in out
    assert "signal from outside" in out


def commandline(process: str) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


def test_retries_go_on_from_the_checkpoint_and_stop_begins_no_more(run: Run, tmp_path: Path) -> None:
    done = run(
        "-m", *COMMON, "launcher.jobs=1", "method=toy_faulty", "method.fault=kill,none", "method.at=9",
        "sweep.retries=1", "sweep.on_error=stop", f"outputs={tmp_path}",
    )  # fmt: skip
    home = the_sweep(tmp_path)
    assert done.returncode == 1
    assert begun(home) == {"method.fault=kill": 2}
    assert "going on after step 8" in (home / "method.fault=kill" / "run.log").read_text()
    assert "tries" in done.stdout
    assert "not run" in done.stdout


def test_threads_and_devices_are_there_before_anything_is_imported(
    run: Run, environment: dict[str, str], tmp_path: Path
) -> None:
    words = [*COMMON, "method=toy_faulty", "method.fault=hang,deaf", "threads=3", "launcher.devices=[5,7]"]
    sweep = start(environment, "-m", *words, "device=cpu", "launcher.grace_seconds=0", f"outputs={tmp_path}")
    wait_for(lambda: len(list(tmp_path.glob("sweeps/*/*/metrics.jsonl"))) == 2)
    found = [environment_of(n) for n in processes_about(tmp_path) if b"resume" in commandline(n)]
    assert [one["OMP_NUM_THREADS"] for one in found] == ["3", "3"]
    assert sorted(one["CUDA_VISIBLE_DEVICES"] for one in found) == ["5", "7"]
    logs = [path.read_text() for path in tmp_path.glob("sweeps/*/*/run.log")]
    assert all("3 threads" in text for text in logs)
    kill(sweep)


def environment_of(process: str) -> dict[str, str]:
    text = Path(f"/proc/{process}/environ").read_bytes().decode()
    return dict(line.partition("=")[::2] for line in text.split("\0") if line)


@pytest.mark.slow
def test_a_stock_launcher_of_hydras_keeps_the_ledger(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    fuse = tmp_path / "fuse"
    fuse.touch()
    common = [word for word in COMMON if not word.startswith("launcher")]
    words = ["method=toy_faulty", "method.fault=none,raise,exit", f"method.fuse={fuse}", "threads=1"]
    joblib = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    done = run("-m", *common, *joblib, *words, f"outputs={tmp_path}/out")
    home = the_sweep(tmp_path / "out")
    assert done.returncode == 1, done.stdout + done.stderr
    assert Counter(statuses(home).values()) == {"completed": 1, "failed": 2}
    fuse.unlink()
    assert run("resume", str(home)).returncode == 0
    assert begun(home) == {"method.fault=none": 1, "method.fault=raise": 2, "method.fault=exit": 2}
