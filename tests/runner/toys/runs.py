"""Runs of the toy methods, for tests: in processes that can be killed at a line of one's choice.

Importing torch takes longer than a toy's whole run. So one process imports everything once and forks a child
for each run. A child can carry a `Fuse`, which counts the executed lines of the runner and of the toys, and
sends its own process a signal at one of them: kills that are random, and the same every time.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parents[3]
TOYS = ROOT / "tests" / "toys"
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
COMMON = (
    f"methods.path=[{TOYS}]",
    "threads=1",
    "trainer.steps=12",
    "trainer.eval_every=5",
    "trainer.checkpoint_every=4",
    "trainer.log_every=3",
)


@dataclass(frozen=True)
class Kill:
    """A signal to itself at the `at`-th line that is watched; 0 is never."""

    at: int = 0
    signal: int = signal.SIGKILL


class Nursery:
    """The process that forks runs."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=ENVIRONMENT,
            text=True,
            cwd=ROOT,
        )

    def _ask(self, **request: Any) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the process that forks runs has died"
        return int(answer)

    def start(
        self,
        words: Sequence[str],
        log: Path,
        kill: Kill = Kill(),
        trace: Path | None = None,
        cwd: Path = ROOT,
    ) -> int:
        """Begins `run WORDS...` in a process group of its own, its output in `log`; returns its number."""
        fuse = [kill.at, int(kill.signal)]
        places = {"log": str(log.resolve()), "trace": trace and str(trace.resolve()), "cwd": str(cwd)}
        return self._ask(words=list(words), fuse=fuse, **places)

    def wait(self, process: int) -> int:
        """Exit code of a process, or minus the number of the signal that ended it."""
        return self._ask(wait=process)

    def run(self, words: Sequence[str], log: Path, *more: Any, **named: Any) -> int:
        """Runs `run WORDS...` to its end; see `start`."""
        return self.wait(self.start(words, log, *more, **named))

    def close(self) -> None:
        """Ends the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)


class Fuse:
    """Counts watched lines from where a run begins its task; writes down their functions if asked to."""

    def __init__(self, at: int, number: int, trace: Path | None) -> None:
        import torch.serialization

        self.at, self.number, self.trace, self.process = at, number, trace, os.getpid()
        self.count, self.lit, self.names = 0, False, list[str]()
        watched = [*(ROOT / "runner" / "engine").glob("*.py"), *TOYS.glob("*/*.py")]
        watched += [
            ROOT / "runner" / "run.py",
            ROOT / "runner" / "atomic.py",
            Path(torch.serialization.__file__),
        ]
        self.files = {str(path) for path in watched if path.stem not in ("progress", "seeding", "tree")}

    def call(self, frame: FrameType, event: str, argument: Any) -> Any:
        """Python's trace function."""
        if frame.f_code.co_filename not in self.files or os.getpid() != self.process:
            return None
        self.lit = self.lit or frame.f_code.co_name == "_do_task"
        return self.line if self.lit else None

    def line(self, frame: FrameType, event: str, argument: Any) -> Any:
        """The trace function of a watched frame."""
        if event == "line":
            self.count += 1
            if self.trace is not None:
                self.names.append(f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_name}")
            if self.count == self.at:
                os.kill(self.process, self.number)
        return self.line

    @contextmanager
    def burning(self) -> Iterator[None]:
        """Counts inside."""
        sys.settrace(self.call)
        try:
            yield
        finally:
            sys.settrace(None)
            if self.trace is not None:
                self.trace.write_text(json.dumps(self.names))


def pick(names: Sequence[str], dice: random.Random) -> int:
    """A line at which to kill: a function first, so that what happens seldom is hit as often as the rest."""
    name = dice.choice(sorted(set(names)))
    return dice.choice([number for number, other in enumerate(names, 1) if other == name])


def serve() -> None:
    """Forks a run for every request on standard input."""
    _warm()
    for text in sys.stdin:
        request = json.loads(text)
        if "wait" in request:
            answer = os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])
        elif (answer := os.fork()) == 0:
            _child(request)
        print(answer, flush=True)


def _warm() -> None:
    import hydra  # noqa: F401
    import sklearn.datasets
    import sklearn.svm  # noqa: F401
    import torch
    from tensorboard.compat.proto import event_pb2, summary_pb2  # noqa: F401
    from tensorboard.summary.writer import record_writer  # noqa: F401

    import datasets.digits  # noqa: F401
    import runner.engine.pipeline
    import runner.run
    import runner.verbs.resume  # noqa: F401

    torch.set_num_threads(1)
    torch.optim.SGD([torch.zeros(1)], lr=1.0)
    torch.use_deterministic_algorithms(False)  # both import much when they are first called
    os.fsync = lambda fd: None  # a killed process leaves its writes to the system all the same


def _child(request: dict[str, Any]) -> NoReturn:
    from runner.cli import main

    os.setsid()
    os.chdir(request["cwd"])
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for number, target in ((0, os.open(os.devnull, os.O_RDONLY)), (1, log), (2, log)):
        os.dup2(target, number)
    code = 99
    try:
        at, number = request["fuse"]
        trace = None if request["trace"] is None else Path(request["trace"])
        if at or trace:
            with Fuse(at, number, trace).burning():
                code = main(request["words"])
        else:
            code = main(request["words"])
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    sys.path[0] = str(ROOT)
    serve()
