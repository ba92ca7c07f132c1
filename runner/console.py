"""What a person reads on the terminal and in `run.log`."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from tqdm import tqdm

from runner import order
from runner.api import Note
from runner.engine.progress import number
from runner.idle import idle

if TYPE_CHECKING:
    from runner.compose import Composed
    from runner.engine.context import Context
    from runner.run import Outcome

log = logging.getLogger("reclaim")


class _Terminal(logging.Handler):
    """Lines on standard output, above the progress bar if there is one; faults on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        stream = sys.stderr if record.levelno >= logging.ERROR else sys.stdout
        try:
            tqdm.write(self.format(record), file=stream)
            stream.flush()
        except BrokenPipeError:  # whoever read it has gone; that is no reason to lose a run
            silence(stream)


class _File(logging.FileHandler):
    """Lines in a file; one that cannot be written is lost, since the run itself will say why."""

    def handleError(self, record: logging.LogRecord) -> None: ...


def silence(stream: TextIO) -> None:
    """Sends what is written to `stream` nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def start() -> None:
    """Sends the program's messages to the terminal."""
    log.setLevel(logging.DEBUG)
    log.propagate = False
    if not any(isinstance(handler, _Terminal) for handler in log.handlers):
        terminal = _Terminal(logging.INFO)
        log.addHandler(terminal)


@contextmanager
def writing_to(path: Path, level: int = logging.DEBUG) -> Iterator[None]:
    """Sends the program's messages to the file too, with their times."""
    handler = _File(path, encoding="utf-8", errors="backslashreplace")
    handler.setLevel(level)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        handler.close()


@contextmanager
def noting() -> Iterator[None]:
    """Makes each `Note` a line; other warnings are shown as ever."""
    with warnings.catch_warnings():
        others = warnings.showwarning

        def show(message: Any, category: type[Warning], *where: Any, **more: Any) -> None:
            if issubclass(category, Note):
                log.warning("%s", message)
            else:
                others(message, category, *where, **more)

        warnings.simplefilter("always", Note)
        warnings.showwarning = show
        yield


def header(composed: Composed, context: Context, folder: Path) -> None:
    """What is about to run, and where."""
    root, threads = composed.root, context.numerics["threads"]
    used = [
        str(context.device),
        root.precision,
        f"{threads} thread{'s' if threads != 1 else ''}",
        *([f"{context.team.size} processes"] if context.team.size > 1 else []),
        f"seed {root.seed}",
    ]
    chosen = [
        f"{g}={n}"
        for g in ("preset", "experiment", "debug")
        if (n := composed.choices[g]) not in ("none", "None")
    ]
    log.info(
        "%s on %s: %s", composed.choices["method"], composed.choices["dataset"], ", ".join(used + chosen)
    )
    for sentence in idle(composed):
        log.warning("%s", sentence)
    log.info("folder: %s", folder)


def footer(outcome: Outcome) -> None:
    """What it came to, and where the rest lies."""
    if outcome.metrics:
        width = max(len(name) for name in outcome.metrics)
        for name in sorted(outcome.metrics, key=order.metric):
            log.info("  %s  %s", name.ljust(width), number(outcome.metrics[name]))
    if outcome.status == "failed":
        log.error("failed: %s", outcome.error)
    elif outcome.status == "stopped":
        log.info("stopped and saved; go on with: run resume %s", outcome.folder)
    else:
        if outcome.steps:  # a look at a finished run, or a check, draws no curves
            log.info("curves:   tensorboard --logdir %s", outcome.folder)
        drawn = sorted(((outcome.folder or Path()) / "figures").glob("*.*"))
        if drawn:
            names = (path.stem if path.suffix == ".png" else path.name for path in drawn)
            log.info("pictures: %s (%s)", drawn[0].parent, ", ".join(names))
