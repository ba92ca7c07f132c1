"""One run: data, folder, stages, result; every way it can end is written down."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

from datasets.types import DataError
from runner import console, device, folder, memory, together
from runner.access import access
from runner.api import CHECK, Inputs, Stage, TrainStage
from runner.compose import Composed, differences
from runner.cores import cores
from runner.engine import contract, store
from runner.engine.compute import Blocks
from runner.engine.context import Context
from runner.engine.evaluation import Evaluator, finite
from runner.engine.feed import Feed
from runner.engine.journal import Journal, Silent
from runner.engine.ledger import Ledger
from runner.engine.pipeline import Pipeline
from runner.engine.seeding import Stream, derive
from runner.engine.team import Team
from runner.errors import DISK_TROUBLE, BadMethod, ConfigError, NotFinite, Stopped, os_sentence
from runner.registry import CONF
from runner.signals import StopRequest
from runner.verbs.evaluate import run_of
from runner.world import local_rank

log = logging.getLogger("reclaim")
LOG = "run.log"


@dataclass
class Outcome:
    """How a run ended.

    Attributes:
        status: completed, failed or stopped.
        code: exit code.
        metrics, steps, parameters: what it came to.
        error: one line, or None.
        resumed: whether there was an attempt before, whose time is known only if its end was seen.
    """

    folder: Path | None = None
    status: str = "completed"
    code: int = 0
    error: str | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    steps: int = 0
    parameters: int = 0
    seconds: float = 0.0
    resumed: bool = False


def load_data(composed: Composed) -> Any:
    """The data that the method needs; raises `ConfigError` saying what is missing and where it comes from."""
    loader: Callable[..., Any] = composed.dataset.refer(composed.dataset.entry.load)
    try:
        data = loader(composed.dataset_config, access(composed.root), composed.method.entry.needs)
    except DataError as error:
        raise ConfigError(str(error)) from error
    missing = [part for part in ("train", "validation", "test", "checksum") if not hasattr(data, part)]
    if missing:
        raise ConfigError(
            f"dataset={composed.choices['dataset']}: {composed.dataset.entry.load} returned "
            f"{type(data).__name__}, which has no {' or '.join(missing)}"
        )
    return data


def execute(composed: Composed, stop: StopRequest, place: Path | None = None) -> Outcome:
    """Runs one configuration in a new folder, or in `place`, where what is there is taken up.

    Wrong input found before a new folder is made raises `ConfigError`; later, and in a given `place`, it
    becomes the outcome, which is also written to the folder's `result.json`.
    """
    began = time.perf_counter()
    memory.forget_peak()
    team, composed = together.join(composed)
    if not team.lead:
        return _follow(composed, stop, team)
    if place is None:
        prepared = _prepare(composed, stop, team)
        place = folder.make(Path(composed.root.outputs).expanduser() / composed.name)
        return _in_folder(composed, lambda: prepared, place, began)
    return _in_folder(composed, lambda: _prepare(composed, stop, team), place, began)


def _follow(composed: Composed, stop: StopRequest, team: Team) -> Outcome:
    """The run as one of the processes that do not lead it; only what goes wrong is written down."""
    outcome = Outcome(Path(team.told(lambda: "")))
    assert outcome.folder is not None
    with console.writing_to(outcome.folder / LOG, logging.ERROR), _caught(outcome):
        context = _prepare(composed, stop, team)
        ledger = Ledger(outcome.folder, writes=False)
        team.wait()
        Pipeline(composed, context, outcome.folder, Silent(), ledger).train()
    together.leave(team, outcome.folder, outcome.error)
    return outcome


def _prepare(composed: Composed, stop: StopRequest, team: Team) -> Context:
    root = composed.root
    threads = device.set_threads(root.threads)
    where = device.pick(root.device, local_rank() if team.size > 1 else None)
    device.prepare(where, root.compile)
    data = load_data(composed)
    log.debug("data: %s, checksum %s", composed.choices["dataset"], data.checksum)
    return Context(
        seed=root.seed,
        device=where,
        precision=root.precision,
        compile=root.compile,
        trainer=root.trainer,
        debug=root.debug,
        data=data,
        batch_size=composed.dataset_config.batch_size,
        feed=Feed(where, _workers(root.data.workers, data), team),
        stop=stop,
        cache=Path(root.data.cache).expanduser(),
        numerics=device.numerics(where, root.precision, root.compile, threads, team.size),
        smaller=_smaller(composed),
        checkpoint=None if root.checkpoint is None else Path(root.checkpoint).expanduser(),
        team=team,
    )


def _workers(given: int | None, data: Any) -> int:
    if getattr(data, "in_memory", True):
        return 0
    return cores() if given is None else given


def _smaller(composed: Composed) -> tuple[str, ...]:
    """Words that choose settings for a laptop: those made for the data set, or else all with it."""
    method, dataset = composed.choices["method"], composed.choices["dataset"]
    if composed.choices["experiment"].startswith(f"{method}/"):
        return ()
    files = sorted((CONF / "experiment" / method).glob("*_cpu.yaml"))
    own = [file for file in files if f"override /dataset: {dataset}\n" in file.read_text(encoding="utf-8")]
    where = [word for word in composed.overrides if word.startswith(("data.", "dataset.path="))]
    words = where if own else [f"dataset={dataset}", *where]
    return tuple(" ".join([f"experiment={method}/{file.stem}", *words]) for file in own or files)


def _in_folder(composed: Composed, prepare: Callable[[], Context], place: Path, began: float) -> Outcome:
    outcome = Outcome(place)
    outcome.resumed = (place / LOG).is_file()
    with _caught(outcome), folder.locked(place), console.writing_to(place / LOG), console.noting():
        earlier = folder.read_result(place) or {}
        if earlier.get("status") == "completed":
            outcome.metrics, outcome.steps = earlier["metrics"], earlier["steps"]
            outcome.seconds = earlier["seconds"]
            return outcome
        _locked(composed, prepare, place, outcome, began - earlier.get("seconds", 0.0))
        return outcome
    console.footer(outcome)  # it could not even begin
    return outcome


def _locked(
    composed: Composed, prepare: Callable[[], Context], place: Path, outcome: Outcome, began: float
) -> None:
    """The run itself, in a folder that is its own."""
    context = None
    store.sweep(place)
    folder.write_config(place, composed.config, composed.choices, composed.overrides)
    with _caught(outcome):
        context = prepare()
        context.team.told(lambda: str(place.resolve()))
        console.header(composed, context, place)
        _do_task(composed, context, place, outcome)
    if context is not None and context.team.size > 1:
        outcome.error = together.leave(context.team, place, outcome.error)
    outcome.seconds = time.perf_counter() - began
    with _caught(outcome):
        folder.write_result(place, _result(composed, context, outcome))
    console.footer(outcome)


@contextmanager
def _caught(outcome: Outcome) -> Iterator[None]:
    """Turns every way to fail into the outcome: wrong input is a sentence, a fault of ours a traceback in the
    log."""
    try:
        yield
    except Stopped as stopped:
        outcome.status, outcome.code, outcome.error = "stopped", stopped.exit_code, str(stopped)
    except (ConfigError, DataError) as error:
        _failed(outcome, 2, str(error))
    except (BadMethod, NotFinite, MemoryError, torch.OutOfMemoryError) as error:
        _failed(outcome, 1, str(error) or "out of memory")
    except OSError as error:
        _failed(outcome, 2 if error.errno in DISK_TROUBLE else 1, os_sentence(error))
        log.debug("%s", traceback.format_exc())
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        if together.lost(error):
            _failed(outcome, 1, together.LOST)
            return
        if isinstance(error, RuntimeError) and "can't allocate memory" in str(error):  # torch's, on a CPU
            _failed(outcome, 1, "out of memory: " + str(error).rpartition("can't allocate memory: ")[2])
            log.debug("%s", traceback.format_exc())
            return
        said = f"sys.exit({error.code})" if isinstance(error, SystemExit) else str(error)
        _failed(outcome, 1, f"{type(error).__name__}: {' '.join(said.split())}")
        log.error("%s", traceback.format_exc())


def _failed(outcome: Outcome, code: int, message: str) -> None:
    outcome.status, outcome.code, outcome.error = "failed", code, " ".join(message.split())


def _do_task(composed: Composed, context: Context, place: Path, outcome: Outcome) -> None:
    journal = Journal(place)
    try:
        if composed.root.task == "train":
            _train(composed, context, place, journal, outcome)
        elif composed.root.task.startswith(CHECK):
            _check(composed, context, place, journal, outcome)
        else:
            _look(composed, context, place, journal, outcome)
    finally:
        journal.close()


def _train(composed: Composed, context: Context, place: Path, journal: Journal, outcome: Outcome) -> None:
    pipeline = Pipeline(composed, context, place, journal, Ledger(place))
    context.team.wait()
    try:
        outcome.metrics = pipeline.train()
    finally:
        outcome.steps, outcome.parameters = pipeline.steps, pipeline.parameters


def _check(composed: Composed, context: Context, place: Path, journal: Journal, outcome: Outcome) -> None:
    """Something that the method says holds exactly; nothing is trained, and all is computed anew."""
    journal.rewind({})
    task, entry = composed.root.task, composed.method.entry
    function = composed.method.refer(entry.checks[task.removeprefix(CHECK)])
    stream = Stream(context.seed, task, "check")
    stream.seed()
    inputs = Inputs(
        data=context.data,
        device=context.device,
        steps=0,
        batch_size=context.batch_size,
        seed=derive(context.seed, task) % 2**31,
        batches=partial(context.feed.batches, stream),
    )
    try:
        done, items = contract.items(function(composed.method_config, inputs))
    except ValueError as error:
        raise ConfigError(f"{task} does not fit its data or settings: {error}") from error
    folder.write_items(place, items)
    found = {name: float(value) for name, value in done.items()}
    journal.write(task, 0, found)
    outcome.metrics = finite(found)


def _look(composed: Composed, context: Context, place: Path, journal: Journal, outcome: Outcome) -> None:
    """A task on a finished run: its last stage is restored, then evaluated or asked to perform the task."""
    assert context.checkpoint is not None
    journal.rewind({})
    home = run_of(context.checkpoint)
    pipeline = Pipeline(composed, context, home, journal, Ledger(home))
    try:
        stage, evaluator = pipeline.restored(context.checkpoint)
    except ConfigError as error:
        changed = differences(folder.read_config(home)[0]["method"], composed.config["method"])
        words = f"{', '.join(f'method.{key}' for key in changed)} was changed, and " if changed else ""
        raise ConfigError(f"{words}{error}") from error
    outcome.parameters = pipeline.parameters
    if composed.root.task == "evaluate":
        found = _evaluated(stage, evaluator, journal, composed.root.trainer.figures)
    else:
        work = Blocks(place, stage.name, context.seed, context.stop)
        with evaluator.looking(composed.root.task):
            done = stage.perform(composed.root.task, work, pipeline.inputs(stage))
            done, items = contract.items(done)
            found = contract.numbers(done, stage, "perform")
        folder.write_items(place, items)
    journal.write(stage.name, 0, {f"final/{name}": value for name, value in found.items()})
    outcome.metrics = finite(found)


def _evaluated(stage: Stage, evaluator: Evaluator, journal: Journal, drawn: bool) -> dict[str, float]:
    found = evaluator.metrics("validation") | evaluator.metrics("test")
    if drawn and isinstance(stage, TrainStage):
        for name, data in evaluator.figures().items():
            journal.picture(name, 0, data)
    return found


def _result(composed: Composed, context: Context | None, outcome: Outcome) -> dict[str, Any]:
    numerics = context.numerics if context else {}
    data = {"name": composed.choices["dataset"], "checksum": context.data.checksum if context else None}
    return {
        "status": outcome.status,
        "error": outcome.error,
        "method": composed.choices["method"],
        "dataset": composed.choices["dataset"],
        "task": composed.root.task,
        "seed": composed.root.seed,
        "overrides": list(composed.overrides),
        "metrics": outcome.metrics,
        "steps": outcome.steps,
        "seconds": round(outcome.seconds, 3),
        "resumed": outcome.resumed,
        "peak_memory_mb": round(memory.peak(), 1),
        "parameters": outcome.parameters,
        "device": str(context.device) if context else composed.root.device,
        "precision": composed.root.precision,
        "threads": numerics.get("threads"),
        "versions": folder.versions(),
        "numerics": numerics,
        "git": folder.git_state(),
        "data": data,
    }
