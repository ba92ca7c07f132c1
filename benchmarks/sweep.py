"""What `launcher=process` costs a job, and what two at a time gain on two cores.

    python -m benchmarks.sweep [--jobs 1 10 100] [--repeats 3] [--only overhead|gain]

Overhead: jobs that import torch and torchvision and do nothing, begun and ended by the launcher as any job,
against as many fresh Python processes with just these imports, both one after another (bound: 1.3 times).
Gain: one-thread runs of Real NVP two at a time and one after another (bound on two cores: 1.7 times).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from runner.signals import StopRequest
from runner.sweep import engines
from runner.sweep.ledger import Ledger
from runner.sweep.plan import Job
from runner.sweep.pool import Listed, Pool
from runner.sweep.settings import ProcessSettings, SweepSettings

IMPORTS = "import torch, torchvision"
NOTHING = f"""
import json, sys
{IMPORTS}
result = {{"status": "completed", "error": None, "metrics": {{}}, "steps": 0, "seconds": 0.0}}
open(sys.argv[1] + "/result.json", "w").write(json.dumps(result))
"""
COMMAND = (sys.executable, "-c", NOTHING)
REALNVP = (
    "method=realnvp",
    "dataset=digits",
    "seed=1,2,3,4",
    "trainer.steps=250",
    "threads=1",
    "launcher=process",
)
CHOICES = dict.fromkeys(("method", "dataset", "preset", "experiment", "trainer", "debug"), "none")


def bare(count: int) -> float:
    """Seconds of `count` processes that import torch and torchvision, one after another."""
    began = time.perf_counter()
    for _ in range(count):
        subprocess.run([sys.executable, "-c", IMPORTS], check=True)
    return time.perf_counter() - began


def launched(count: int) -> float:
    """Seconds of `count` jobs of the launcher, one at a time, that import the same and do nothing."""
    settings = ProcessSettings("process", 1, None, None, 30.0)
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        jobs = [Job(f"job-{i}", "0", {"methods": {"path": []}}, CHOICES, ()) for i in range(count)]
        began = time.perf_counter()
        engine = engines.processes(home, settings, 1, None, ())
        made = engine._attendant
        engine._attendant = lambda job, share: replace(made(job, share), command=COMMAND)
        pool = Pool(home, engine, Ledger(home), SweepSettings("continue", 0), StopRequest())
        pool.run(Listed(jobs))
        seconds = time.perf_counter() - began
        done = len(list(home.glob("*/result.json")))
    assert done == count, f"{count - done} jobs were not run"
    return seconds


def swept(*words: str) -> float:
    """Seconds of a whole `run -m` of Real NVP on digits."""
    run = str(Path(sys.executable).parent / "run")
    with tempfile.TemporaryDirectory() as name:
        began = time.perf_counter()
        subprocess.run([run, "-m", *REALNVP, *words, f"outputs={name}"], check=True, capture_output=True)
        return time.perf_counter() - began


def overhead(counts: list[int], repeats: int) -> None:
    """Prints seconds for each job, and their ratio, for each number of jobs."""
    bare(1), launched(1)  # what is read from disk is in memory from here on
    for count in counts:
        pairs = [(launched(count), bare(count)) for _ in range(repeats)]
        ratio = statistics.median(a / b for a, b in pairs)
        ours, theirs = (statistics.median(column) / count for column in zip(*pairs, strict=True))
        print(
            f"{count:>4} jobs  launcher {ours:.2f} s a job  bare {theirs:.2f} s  ratio {ratio:.2f}",
            flush=True,
        )


def gain(repeats: int) -> None:
    """Prints how much faster the same jobs are two at a time."""
    pairs = [(swept("launcher.jobs=1"), swept("launcher.jobs=2")) for _ in range(repeats)]
    ratio = statistics.median(a / b for a, b in pairs)
    alone, two = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"4 runs  one after another {alone:.1f} s  two at a time {two:.1f} s  ratio {ratio:.2f}")


def main() -> None:
    """Prints what is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 10])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", choices=["overhead", "gain"])
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    if arguments.only != "gain":
        overhead(arguments.jobs, arguments.repeats)
    if arguments.only != "overhead":
        gain(arguments.repeats)


if __name__ == "__main__":
    main()
