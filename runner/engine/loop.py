"""The training loop, the only one: batch, seed, step, log; evaluate; checkpoint; stop and take up again.

What is done after step s happens in one order: log, evaluate, figures, checkpoint, stop. A checkpoint says
which of it was done for its step, so that a resumed run does exactly the rest.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from runner.api import ComputeStage, Inputs, TrainStage
from runner.engine import checkpoint, contract, guard
from runner.engine.averages import Averages
from runner.engine.context import Context
from runner.engine.estimate import Estimate
from runner.engine.evaluation import Evaluator, finite
from runner.engine.journal import Log
from runner.engine.profiling import Profiler
from runner.engine.progress import Progress, line
from runner.engine.seeding import Stream
from runner.engine.team import Begun, batch_statistics
from runner.engine.update import Updater
from runner.engine.watch import Watch, watching
from runner.errors import ConfigError, NotFinite, Stopped

log = logging.getLogger("reclaim")
FORMAT = 1


@dataclass
class State:
    """Where training stands; everything here goes into a checkpoint."""

    step: int = 0
    evaluated: int = 0
    drawn: int = 0
    best: float | None = None
    best_step: int = 0
    waited: int = 0
    finished: bool = False
    seconds: float = 0.0


def read(path: Path) -> dict[str, Any]:
    """The content of a training checkpoint; raises `ConfigError` for any other file."""
    content = checkpoint.load(path)
    wanted = {"format", "stage", "state", "tracked", "averages", "scaler", "window", "journal"}
    if set(content) != wanted or content["format"] != FORMAT or not _whole(content):
        raise ConfigError(f"{path} is no checkpoint of a training of this version")
    return content


def _whole(content: Mapping[str, Any]) -> bool:
    """Whether state, window and journal hold what a run writes there."""
    state, window, journal = content["state"], content["window"], content["journal"]
    if not all(isinstance(part, dict) for part in (state, window, journal)):
        return False
    counts = [value for key, value in state.items() if key not in ("best", "finished", "seconds")]
    counts += list(journal.values())
    pairs = [value for value in window.values() if isinstance(value, list) and len(value) == 2]
    numbers = [state.get("seconds"), *([state["best"]] if state.get("best") is not None else [])]
    return (
        set(state) == set(vars(State()))
        and all(type(count) is int and count >= 0 for count in counts)
        and all(type(number) in (int, float) for number in [*numbers, *(n for pair in pairs for n in pair)])
        and len(pairs) == len(window)
        and type(state["finished"]) is bool
    )


def _number(value: Any) -> Any:
    """A metric as a Python number, or as a tensor where reading it off an accelerator would wait for it."""
    if not isinstance(value, Tensor):
        return value
    value = value.detach()
    return value.item() if value.device.type == "cpu" else value.double()


def build(stage: TrainStage | ComputeStage, inputs: Inputs, seed: int) -> None:
    """Lets the stage make what it works with, seeded; raises `ConfigError` where it does not fit."""
    Stream(seed, stage.name, "build").seed()
    try:
        stage.build(inputs)
    except ValueError as error:
        raise ConfigError(f"stage {stage.name} does not fit its data or settings: {error}") from error


class Training:
    """One `TrainStage` from build to its final metrics.

    Arguments:
        folder: where `checkpoints/{last,best}.pt` lie.
        prefix: put before metric names in TensorBoard and in the result, where a method has several stages.
    """

    def __init__(
        self, stage: TrainStage, inputs: Inputs, context: Context, folder: Path, sink: Log, prefix: str
    ) -> None:
        self.stage, self.inputs, self.context, self.sink, self.prefix = stage, inputs, context, sink, prefix
        self.folder, self.length, self.state = folder / "checkpoints", inputs.steps, State()
        trainer = context.trainer
        build(stage, inputs, context.seed)
        contract.tracked(stage)
        guard.check_state(stage.tracked, 0)
        modules = guard.modules_of(stage.tracked)
        context.team.spread(modules)
        if context.team.size > 1 and (names := batch_statistics(modules)):
            others = f" and {len(names) - 1} others" if len(names) > 1 else ""
            log.info("%s%s normalise by each process's share of a batch, not by the whole", names[0], others)
        averaged = {n: m for n, m in modules.items() if stage.averaged is None or n in stage.averaged}
        self.averages = Averages(averaged, trainer.ema) if trainer.ema is not None else None
        self.update = Updater(
            context.device,
            context.precision,
            trainer.accumulate,
            trainer.clip,
            partial(contract.optimiser, stage),
            context.team,
        )
        # Processes of a team stop at the same step; one alone may also do so within an evaluation.
        tick = context.stop.check if context.team.size == 1 else lambda: None
        self.evaluator = Evaluator(stage, context.seed, self.averages, tick)
        self.begun = Begun()
        self.window: dict[str, list[Any]] = {}
        self._bad: Tensor | None = None
        self._watch = Watch() if context.debug.nan else None
        if context.compile:
            for module in modules.values():
                module.compile()

    @property
    def label(self) -> str:
        """What the stage is called in this run's log."""
        return self.prefix.rstrip("/") or self.stage.name

    @property
    def parameters(self) -> int:
        """Number of trained numbers; those that tracked modules share count once."""
        modules = guard.modules_of(self.stage.tracked).values()
        return sum(p.numel() for p in {p for module in modules for p in module.parameters()})

    def run(self) -> dict[str, float]:
        """Trains to the end, from the last checkpoint where there is one; returns the final metrics."""
        resumed = self._restore("last")
        self.context.team.wait()
        self.sink.rewind(resumed if resumed is not None else {})
        began = time.perf_counter() - self.state.seconds
        try:
            self._train(began)
        except Stopped:
            self._save("last")
            raise
        return self._finish()

    def _train(self, began: float) -> None:
        state, context = self.state, self.context
        log.info("%s: %s steps, %s parameters", self.label, f"{self.length:,}", f"{self.parameters:,}")
        if state.step:
            log.info("%s: going on after step %d", self.label, state.step)
            self._after_step(began)
        stream, fixed = Stream(context.seed, self.stage.name, "batch"), context.debug.overfit
        accumulate = context.trainer.accumulate
        batches = context.feed.steps(self.stage, stream, state.step, self.length, fixed, accumulate)
        noise = Stream(context.seed, self.stage.name, "step")
        progress = Progress(self.label, state.step, self.length)
        estimate = Estimate(self.length - state.step, context)
        profiler = Profiler(context.debug.profile, self.folder.parent / "figures")
        with profiler, watching(self._watch):
            try:
                while state.step < self.length and not state.finished:
                    batch = next(batches)
                    noise.seed(0 if context.debug.overfit else state.step)
                    self._begin(batch, began)
                    with self.begun.noise:
                        self._step(batch)
                    profiler.step()
                    progress.advance()
                    estimate.step()
                    self._after_step(began, progress)
            finally:
                progress.close()
                estimate.close()
                del batches  # ends worker processes before anything else happens

    def _begin(self, batch: Any, began: float) -> None:
        """Agrees with the other processes on what is to be done after this step."""
        late = time.perf_counter() - began > self._limit
        self.begun = self.context.team.begin(batch, self.context.stop.number or 0, late)
        self.update.weight = self.begun.weight

    @property
    def _limit(self) -> float:
        minutes = self.context.trainer.max_minutes
        return math.inf if minutes is None else 60 * minutes

    def _step(self, batch: Any) -> None:
        stage, step = self.stage, self.state.step
        for name, rate in stage.rates(step).items():
            for group in stage.tracked[name].param_groups:
                group["lr"] = rate
        if self._watch is not None:
            self._watch.clear()
        metrics: Mapping[str, Any] = {}
        try:
            metrics = contract.mapping(stage.step(batch, self.update, step), stage, "step")
            self._collect(metrics)
            if self._watch is not None and guard.bad_state(stage.tracked):
                raise NotFinite("the update left numbers that are not finite")
        except NotFinite as error:
            raise NotFinite(f"step {step + 1}: {error}; {self._cause(batch, metrics)}") from None
        if self.averages is not None:
            self.averages.update()
        self.state.step += 1

    def _cause(self, batch: Any, metrics: Mapping[str, Any]) -> str:
        """What is known of where the numbers of this step stopped being finite."""
        operation = "debug=nan names the operation" if self._watch is None else self._watch.first
        layer = self.stage.diagnose(batch)
        found = [
            guard.first_bad(self.stage.tracked, batch, metrics),
            f"first bad layer: {layer}" if layer else "",
            operation,
        ]
        return "; ".join(filter(None, found))

    def _collect(self, metrics: Mapping[str, Any]) -> None:
        """Adds a step's metrics to the window; a CPU looks at them at once, else a bad step is marked."""
        for name, value in self._pooled({name: _number(value) for name, value in metrics.items()}).items():
            if not isinstance(value, Tensor):
                if not math.isfinite(value) and name == "loss":
                    raise NotFinite(f"the loss is {value}")
            elif name == "loss":
                self._mark(value)
            total = self.window.setdefault(name, [0.0, 0])
            total[0], total[1] = total[0] + value, total[1] + 1

    def _pooled(self, values: dict[str, Any]) -> dict[str, Any]:
        """A step's means over the whole batch; on accelerators only weighted, for the log to pool."""
        if self.context.team.size == 1:
            return values
        weighted = {name: value * self.begun.weight for name, value in values.items()}
        return self.context.team.means(weighted) if self._pools_steps else weighted

    @property
    def _pools_steps(self) -> bool:
        return self.context.device.type == "cpu"

    def _pool_window(self) -> None:
        """Has all processes hold the same window, where steps are not pooled one by one."""
        if self.context.team.size > 1 and not self._pools_steps:
            means = self.context.team.means({name: float(total) for name, (total, _) in self.window.items()})
            self.window = {name: [means[name], count] for name, (_, count) in self.window.items()}

    def _mark(self, loss: Tensor) -> None:
        if self._bad is None:
            self._bad = torch.full((), self.length + 1, dtype=torch.int64, device=loss.device)
        now = torch.where(torch.isfinite(loss), self.length + 1, self.state.step + 1)
        self._bad = torch.minimum(self._bad, now)

    def _raise_marked(self) -> None:
        if self._bad is not None and (step := int(self._bad)) <= self.length:
            raise NotFinite(f"step {step}: the loss is not finite; {guard.first_bad(self.stage.tracked)}")

    def _after_step(self, began: float, progress: Progress | None = None) -> None:
        """Everything that is due after the current step and not yet done."""
        state, trainer = self.state, self.context.trainer
        state.seconds = time.perf_counter() - began
        alone = self.context.team.size == 1
        if (state.seconds > self._limit if alone else self.begun.over) and not state.finished:
            log.info(
                "%s: trainer.max_minutes=%g is over at step %d", self.label, self._limit / 60, state.step
            )
            state.finished = True
        last = state.finished or state.step == self.length
        if progress is not None and (last or self._due(trainer.log_every)):
            self._log(progress)
        looks = last or self._due(trainer.eval_every) or self._due(trainer.select_every)
        looks = looks and state.evaluated < state.step
        if looks:
            self._evaluate(last)
        if state.finished and self.window:  # stopped early: the steps since the last line would be lost
            self._log(progress)
        if state.drawn < state.step and self._due(trainer.figures_every) and not last:
            self._draw()
        saves = last or state.finished or self._due(trainer.checkpoint_every)
        if saves and (looks or progress is not None):
            self._save("last")
        if alone:
            self.context.stop.check()
        elif self.begun.stop:
            raise Stopped(self.begun.stop)

    def _due(self, every: int | None) -> bool:
        return every is not None and self.state.step % every == 0

    def _log(self, progress: Progress | None) -> None:
        self._raise_marked()
        self._pool_window()
        means = {f"train/{name}": float(total) / count for name, (total, count) in self.window.items()}
        self.window = {}
        step = self.state.step
        rates = {f"rate/{name}": rate for name, rate in self.stage.rates(step - 1).items()}
        self.sink.write(self.stage.name, step, {**means, **rates}, self.prefix)
        self.sink.speed(step, {"time/seconds": self.state.seconds}, self.prefix)
        if progress is not None:
            progress.show(step, means)

    def _evaluate(self, last: bool) -> None:
        state, stage = self.state, self.stage
        self.context.team.spread(guard.modules_of(stage.tracked), buffers_only=True)
        metrics = self._metrics("validation")
        state.evaluated = state.step
        if metrics:
            self.sink.write(stage.name, state.step, metrics, self.prefix)
            log.info("%s %d/%d  %s", self.label, state.step, self.length, line(metrics))
        every = self.context.trainer.select_every or self.context.trainer.eval_every
        if stage.monitor in metrics and (last or self._due(every)):
            self._select(metrics[stage.monitor])

    def _metrics(self, split: str) -> dict[str, float]:
        """What the stage measures; all processes go by what the lead has found."""
        metrics, team = self.evaluator.metrics(split), self.context.team
        return metrics if team.size == 1 else dict(json.loads(team.told(lambda: json.dumps(metrics))))

    def _select(self, value: float) -> None:
        """Keeps the weights if they are the best so far, and counts towards early stop if not."""
        state, patience = self.state, self.context.trainer.early_stop
        sign = 1 if self.stage.minimise_monitor else -1
        if not math.isfinite(value):
            log.warning("%s: %s is %s at step %d", self.label, self.stage.monitor, value, self.state.step)
        if math.isfinite(value) and (state.best is None or sign * value < sign * state.best):
            state.best, state.best_step, state.waited = value, state.step, 0
            self._save("best")
            return
        state.waited += 1
        if patience is not None and state.waited >= patience:
            log.info("%s: no better %s in %d looks; stopping early", self.label, self.stage.monitor, patience)
            state.finished = True

    def _draw(self) -> None:
        self.state.drawn = self.state.step
        self._figures()

    def _figures(self) -> None:
        if self.context.team.lead and self.context.trainer.figures:
            for name, data in self.evaluator.figures().items():
                self.sink.picture(name, self.state.step, data, self.prefix)

    def _content(self) -> dict[str, Any]:
        tracked = {name: value.state_dict() for name, value in self.stage.tracked.items()}
        return {
            "format": FORMAT,
            "stage": self.stage.name,
            "state": vars(self.state).copy(),
            "tracked": tracked,
            "averages": self.averages.state_dict() if self.averages else None,
            "scaler": self.update.scaler.state_dict(),
            "window": {name: [float(total), count] for name, (total, count) in self.window.items()},
            "journal": self.sink.sync(),
        }

    def _save(self, name: str) -> None:
        self._raise_marked()
        guard.check_state(self.stage.tracked, self.state.step)
        self._pool_window()
        if self.context.team.lead:
            checkpoint.save(self.folder / f"{name}.pt", self._content())

    def _restore(self, name: str) -> dict[str, int] | None:
        path = self.folder / f"{name}.pt"
        if not path.is_file():
            return None
        content = read(path)
        self.load(content)
        self.state = State(**content["state"])
        if self.state.best is not None and not (self.folder / "best.pt").is_file():
            log.warning("%s: best.pt is gone; the best is chosen anew from here on", self.label)
            self.state.best = None
        self.window = content["window"]
        if content["scaler"]:
            self.update.scaler.load_state_dict(content["scaler"])
        return dict(content["journal"])

    def load(self, content: Mapping[str, Any]) -> None:
        """Puts a checkpoint's weights, optimiser states and averages in place.

        Raises `ConfigError` where they do not fit, and `NotFinite` where they hold no numbers.
        """
        if content["stage"] != self.stage.name:
            raise ConfigError(f"the checkpoint is of stage {content['stage']}, not of {self.stage.name}")
        checkpoint.load_tracked(self.stage.tracked, content["tracked"])
        guard.check_state(self.stage.tracked, content["state"]["step"])
        if self.averages is None:
            return
        if content["averages"] is None:
            raise ConfigError("trainer.ema is set, but the checkpoint was trained without averaged weights")
        self.averages.load_state_dict(content["averages"])

    def _finish(self) -> dict[str, float]:
        """Final metrics and figures, of the best weights or of the last."""
        trainer, state = self.context.trainer, self.state
        self.context.team.wait()  # until the lead has saved the best
        best = trainer.keep_best and state.best is not None and (self.folder / "best.pt").is_file()
        if best:
            # Its step is a later one than best_step if a kill lost what came after it was written.
            content = read(self.folder / "best.pt")
            self.load(content)
            log.info("%s: the best weights are those of step %d", self.label, content["state"]["step"])
        metrics = self._metrics("validation") | self._metrics("test")
        if not math.isfinite(metrics.get(self.stage.monitor or "", 0.0)):
            raise NotFinite(f"{self.stage.monitor} is {metrics[self.stage.monitor or '']} in the end")
        if lost := sorted(name for name, value in metrics.items() if not math.isfinite(value)):
            log.warning("%s: not finite, and left out of the result: %s", self.label, ", ".join(lost))
        final = {f"final/{name}": value for name, value in metrics.items()}
        self.sink.write(self.stage.name, state.step, final, self.prefix)
        self._figures()
        return finite(metrics)

    def export(self, folder: Path) -> None:
        """Writes the final weights (the averages where there are some), and what the stage adds."""
        with self.averages.applied() if self.averages else nullcontext():
            checkpoint.save(folder / "weights.pt", {n: v.state_dict() for n, v in self.stage.tracked.items()})
            self.stage.export(folder)
