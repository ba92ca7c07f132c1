"""How soon the command answers, against a bare Hydra application: help, a config error, completion.

    python -m benchmarks.startup

Each pair is run in turn, in fresh processes; prints the median ratio of wall times (bound: 1.5).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BARE = """
import hydra
@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(config):
    pass
main()
"""
CASES = {
    "help": (["--help"], ["--help"]),
    "config error": (["method.lrr=1"], ["method.lrr=1"]),
    "unknown name": (["method=realnv"], ["method=realnv"]),
    "completion": (["-sc", "query=bash"], ["-sc", "query=bash"]),
}


def bare(folder: Path) -> Path:
    """A Hydra application with a config of one group and a handful of keys."""
    (folder / "conf" / "method").mkdir(parents=True)
    (folder / "conf" / "config.yaml").write_text("defaults:\n  - method: a\nseed: 0\ndevice: auto\n")
    (folder / "conf" / "method" / "a.yaml").write_text("lr: 0.1\nwidth: 8\n")
    (folder / "app.py").write_text(BARE)
    return folder / "app.py"


def seconds(command: list[str], folder: Path) -> float:
    """Wall time of a command whose exit code does not matter."""
    environment = {**os.environ, "COMP_LINE": "run meth", "COMP_POINT": "8"}
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
    return time.perf_counter() - began


def main() -> None:
    """Prints both times and their ratio for each case."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    run = str(Path(sys.executable).parent / "run")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        app = [sys.executable, str(bare(folder))]
        for case, (ours, theirs) in CASES.items():
            pairs = [
                (seconds([run, *ours], folder), seconds([*app, *theirs], folder)) for _ in range(repeats + 1)
            ][1:]
            ratio = statistics.median(a / b for a, b in pairs)
            a, b = (statistics.median(column) for column in zip(*pairs, strict=True))
            print(f"{case:<13} run {a:.3f} s  bare {b:.3f} s  ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
