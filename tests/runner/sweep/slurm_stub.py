"""Stands in for a Slurm cluster of one machine: `sbatch`, `srun`, `scontrol`, `sacct` and `scancel` by name.

Its state is a folder: `calls.txt` (every command line), `<id>.sh` (scripts), `<id>.pid`, `<id>.requeue`.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

STATE = Path(os.environ["SLURM_STUB"])


def sbatch(words: list[str]) -> None:
    """Takes a script, or an array of them, and starts a node for each."""
    number = 1000 + len(list(STATE.glob("*.sh")))
    script = Path(words[-1]).read_text()
    (STATE / f"{number}.sh").write_text(script)
    array = re.search(r"^#SBATCH --array=0-(\d+)", script, re.MULTILINE)
    names = [f"{number}_{i}" for i in range(int(array[1]) + 1)] if array else [str(number)]
    for name in names:
        subprocess.Popen(
            [sys.executable, __file__, "node", name], start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=(STATE / f"{name}.err").open("a"),
        )  # fmt: skip
    print(f"Submitted batch job {number}")


def node(words: list[str]) -> None:
    """Runs a script, and again while somebody asks for that."""
    (name,) = words
    number, _, index = name.partition("_")
    more = {"SLURM_JOB_ID": name if not index else f"{number}{index}", "SLURM_NTASKS": "1"}
    more |= {"SLURM_JOB_NUM_NODES": "1", "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODEID": "0"}
    if index:
        more |= {"SLURM_ARRAY_JOB_ID": number, "SLURM_ARRAY_TASK_ID": index}
    again = True
    while again:
        process = subprocess.Popen(["bash", str(STATE / f"{number}.sh")], env={**os.environ, **more})
        process.wait()
        again = (STATE / f"{name}.requeue").exists()
        (STATE / f"{name}.requeue").unlink(missing_ok=True)
    (STATE / f"{name}.done").touch()


def srun(words: list[str]) -> None:
    """Becomes the command, its output in a file as it was told."""
    while words[0].startswith("--"):
        option = words.pop(0)
        if option == "--output":
            path = words.pop(0)
            job = os.environ.get("SLURM_ARRAY_JOB_ID", ""), os.environ.get("SLURM_ARRAY_TASK_ID", "")
            names = {"%j": os.environ["SLURM_JOB_ID"], "%A": job[0], "%a": job[1], "%t": "0"}
            for mark, value in names.items():
                path = path.replace(mark, value)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(descriptor, 1)
            os.dup2(descriptor, 2)
    name = "_".join(
        filter(None, (os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")))
    )
    (STATE / f"{name or os.environ['SLURM_JOB_ID']}.pid").write_text(str(os.getpid()))
    os.execvp(words[0], words)


def scontrol(words: list[str]) -> None:
    """`scontrol requeue ID`."""
    assert words[0] == "requeue"
    (STATE / f"{words[1]}.requeue").touch()


def scancel(words: list[str]) -> None:
    """Sends SIGTERM to a job."""
    os.kill(int((STATE / f"{words[0]}.pid").read_text()), signal.SIGTERM)


def sacct(words: list[str]) -> None:
    """The states of all jobs."""
    print("JobID|State|NodeList")
    for path in STATE.glob("*.pid"):
        done = (STATE / f"{path.stem}.done").exists()
        print(f"{path.stem}|{'COMPLETED' if done else 'RUNNING'}|here")


if __name__ == "__main__":
    called = Path(sys.argv[0]).name
    arguments = sys.argv[1:]
    if arguments[0] == "node":
        called, *arguments = arguments
    with (STATE / "calls.txt").open("a") as calls:
        print(called, *arguments, file=calls)
    globals()[called](arguments)
