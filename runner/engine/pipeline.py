"""A method's stages in order, each from what came before; what is finished is not done again."""

from __future__ import annotations

import dataclasses
import json
import logging
import shutil
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

from runner.api import Artifact, ComputeStage, Inputs, Method, Source, Stage, TrainStage
from runner.compose import Composed, of_source
from runner.engine import contract, store
from runner.engine.compute import Blocks
from runner.engine.context import Context, length
from runner.engine.evaluation import Evaluator, finite
from runner.engine.journal import METRICS, Curve, Journal, Log, Silent, read, replay
from runner.engine.ledger import Finished, Ledger
from runner.engine.loop import Training, build
from runner.engine.loop import read as read_training
from runner.engine.seeding import Stream, derive
from runner.errors import ConfigError
from runner.models import model_of

log = logging.getLogger("reclaim")
BEST_FIRST = ("best.pt", "last.pt")


class Pipeline:
    """Runs the stages of one method in one run's folder.

    Arguments:
        home: folder of the run whose finished stages are used; the run's own, or one that is evaluated.
        base: put before all names where the stages serve another method, such as `"detector/"`.

    Attributes:
        steps: training steps done, over all stages.
        parameters: trained numbers of the last training stage.
    """

    def __init__(
        self,
        composed: Composed,
        context: Context,
        home: Path,
        journal: Journal | Silent,
        ledger: Ledger,
        base: str = "",
    ) -> None:
        self.composed, self.context, self.home, self.journal = composed, context, home, journal
        self.ledger, self.base = ledger, base
        self.stages = make_method(composed).stages()
        self.steps = self.parameters = 0
        self._sources: dict[str, Artifact] = {}

    def train(self) -> dict[str, float]:
        """Runs what is not yet done; returns all stages' metrics, the earlier ones' under their names."""
        metrics: dict[str, float] = {}
        for stage in self.stages:
            if stage.name not in self.ledger.stages:
                self.ledger.finish_stage(stage.name, self._run(stage), self.journal.sync())
            result = self.ledger.stages[stage.name]
            self.steps, self.parameters = self.steps + result.steps, result.parameters or self.parameters
            metrics |= {self._prefix(stage) + name: value for name, value in result.metrics.items()}
        return metrics

    def _prefix(self, stage: Stage) -> str:
        return "" if stage is self.stages[-1] and not self.base else f"{self.base}{stage.name}/"

    def _run(self, stage: Stage) -> Finished:
        if stage is self.stages[-1] and isinstance(stage, TrainStage):
            return self._train_here(stage)
        return store.finished(self.artifact(stage))

    def _train_here(self, stage: TrainStage) -> Finished:
        """The last stage trains in the run's own folder."""
        inputs = self.inputs(stage)
        sink = From(self.journal, self.ledger.journal)
        training = Training(stage, inputs, self.context, self.home, sink, "")
        result = self._trained(training)
        if stage.name in self._shared() and self.context.team.lead:
            self._share(stage, training, result)
        return result

    def _trained(self, training: Training) -> Finished:
        """Trains to the end; if that is cut short, what was done until then is known all the same."""
        try:
            return Finished(training.run(), training.state.step, training.parameters)
        except BaseException:
            self.steps, self.parameters = self.steps + training.state.step, training.parameters
            raise

    def _share(self, stage: TrainStage, training: Training, result: Finished) -> None:
        folder = self.place(stage)
        work = folder.with_name(folder.name + ".work")
        with self._lock(folder):
            if store.settle(work, folder) is None:
                shutil.rmtree(work, ignore_errors=True)
                work.mkdir(parents=True)
                (work / METRICS).write_bytes(self._own_curve(stage))
                training.export(work)
                store.finish(work, folder, result)

    def _own_curve(self, stage: Stage) -> bytes:
        entries = [entry for entry in read(self.home / METRICS) if entry["stage"] == stage.name]
        return b"".join((json.dumps(entry) + "\n").encode() for entry in entries)

    def _shared(self) -> set[str]:
        """Names of the stages whose results other methods may ask for, and of those they are made from."""
        by_name = {stage.name: stage for stage in self.stages}
        todo, found = list(self.composed.method.entry.provides.values()), set()
        while todo:
            name = todo.pop()
            if name in by_name and name not in found:
                found.add(name)
                todo += list(by_name[name].needs)
        return found

    def place(self, stage: Stage) -> Path:
        """Folder of the stage's finished result: in the shared store, or in this run."""
        if stage.name not in self._shared():
            return self.home / "stages" / stage.name
        return (
            self.context.cache
            / "artifacts"
            / f"{self.composed.choices['method']}-{stage.name}-{self._key(stage)}"
        )

    def _key(self, stage: Stage) -> str:
        context, trainer = self.context, dataclasses.asdict(self.context.trainer)
        dataset = dataclasses.asdict(self.composed.dataset_config)
        unimportant = {"log_every", "checkpoint_every", "figures_every"}
        inputs = {name: store.content_of(artifact) for name, artifact in self._artifacts(stage).items()}
        module = sys.modules[type(stage).__module__]
        return store.key(
            {
                "stage": stage.name,
                "config": stage.config,
                "code": store.hash_code(module.__file__),
                "data": context.data.checksum,
                "dataset": {k: v for k, v in dataset.items() if k not in ("path", "in_memory")},
                "seed": context.seed,
                "trainer": {k: v for k, v in trainer.items() if k not in unimportant},
                "debug": dataclasses.asdict(context.debug),
                "numerics": context.numerics,
                "inputs": inputs,
            }
        )

    def inputs(self, stage: Stage) -> Inputs:
        """What the stage is given; makes the artifacts that it needs."""
        context = self.context
        return Inputs(
            data=context.data,
            device=context.device,
            steps=length(stage, context) if isinstance(stage, TrainStage) else 0,
            batch_size=context.batch_size,
            seed=derive(context.seed, stage.name) % 2**31,
            artifacts=self._artifacts(stage),
            batches=partial(context.feed.batches, Stream(context.seed, stage.name, "look")),
            checkpoint=context.checkpoint,
            share=partial(context.feed.share, Stream(context.seed, stage.name, "look")),
            total=context.team.total,
            parts=context.trainer.accumulate * context.team.size,
            model=partial(model_of, self.composed, context),
        )

    def _artifacts(self, stage: Stage) -> dict[str, Artifact]:
        return {name: self._need(stage, name, source) for name, source in stage.needs.items()}

    def _need(self, stage: Stage, name: str, source: Source | None) -> Artifact:
        if source is not None:
            label = f"{stage.name}/{name}"
            if label not in self._sources:
                self._sources[label] = self.from_source(name, source)
            return self._sources[label]
        for earlier in self.stages:
            if earlier.name == name:
                return self.artifact(earlier)
        raise ConfigError(f"stage {stage.name} needs {name}, which no earlier stage is called")

    def from_source(self, kind: str, source: Source) -> Artifact:
        """The artifact of `kind` that a `Source` names, computed now if it is nowhere."""
        if source.path is not None:
            found = store.read(Path(source.path).expanduser())
            if found is None:
                raise ConfigError(f"{kind}: {source.path} is not the folder of a finished artifact")
            return found
        other = of_source(source, self.composed)
        method = other.choices["method"]
        name = other.registry.provider(method, kind)
        sub = Pipeline(
            other, self._context_of(other), self.home, self.journal, self.ledger, f"{self.base}{method}/"
        )
        return sub.artifact(next(stage for stage in sub.stages if stage.name == name))

    def _context_of(self, other: Composed) -> Context:
        from runner.run import load_data  # the run knows how data is reached

        same = other.dataset_config == self.composed.dataset_config
        same = same and other.method.entry.needs == self.composed.method.entry.needs
        data = self.context.data if same else load_data(other)
        return replace(
            self.context, data=data, trainer=other.root.trainer, batch_size=other.dataset_config.batch_size
        )

    def artifact(self, stage: Stage) -> Artifact:
        """The finished result of a stage; one that is already there is taken up with its curve, once."""
        label = f"{self.base}{stage.name}"
        noted = self.ledger.artifact(label)
        if noted is not None and (found := store.read(noted)) is not None:
            return found
        artifacts = self._artifacts(stage)  # first, so that their curves come before this one's
        folder = self.place(stage)
        work = folder.with_name(folder.name + ".work")
        # The curve of one that was noted, and lost since, is in the journal already.
        journal: Log = self.journal if noted is None else Silent()
        team = self.context.team
        with self._lock(folder):
            if team.told(lambda: str(store.settle(work, folder) is not None)) == "True":
                if team.lead:
                    journal.rewind(self.ledger.journal)
                    replay(folder, journal, self._prefix(stage))
                log.info("%s: taken from %s", label, folder)
            elif team.lead:
                work.mkdir(parents=True, exist_ok=True)
                curve = Curve(work, journal, self.ledger.journal, self._prefix(stage))
                result = self._compute(stage, work, curve, artifacts)
                curve.close()
                store.finish(work, folder, result)
            elif isinstance(stage, TrainStage):
                self._compute(stage, work, Silent(), artifacts)
            team.wait()
        found = store.read(folder)
        assert found is not None
        reached = self.journal.sync() if noted is None else self.ledger.journal
        self.ledger.note_artifact(label, folder, reached)
        return found

    def _lock(self, folder: Path) -> AbstractContextManager[None]:
        if folder.is_relative_to(self.home) or not self.context.team.lead:
            return nullcontext()
        busy = f"{folder.name} is being computed by another process; waiting for it"
        return store.locked(folder.with_name(folder.name + ".lock"), self.context.stop.check, busy)

    def _compute(
        self, stage: Stage, work: Path, curve: Curve | Silent, artifacts: dict[str, Artifact]
    ) -> Finished:
        inputs, prefix = replace(self.inputs(stage), artifacts=artifacts), self._prefix(stage)
        if isinstance(stage, TrainStage):
            training = Training(stage, inputs, self.context, work, curve, prefix)
            result = self._trained(training)
            if self.context.team.lead:
                training.export(work)
            return result
        assert isinstance(stage, ComputeStage)
        build(stage, inputs, self.context.seed)
        curve.rewind({})
        log.info("%s: computing", prefix.rstrip("/") or stage.name)
        Stream(self.context.seed, stage.name, "run").seed()
        found = stage.run(Blocks(work, stage.name, self.context.seed, self.context.stop), inputs)
        metrics = contract.numbers(found, stage, "run")
        curve.write(stage.name, 0, metrics, prefix)
        return Finished(finite(metrics))

    def restored(self, checkpoint_folder: Path) -> tuple[Stage, Evaluator]:
        """The last stage as a finished run left it, ready to be looked at."""
        stage = self.stages[-1]
        inputs = self.inputs(stage)
        if isinstance(stage, TrainStage):
            training = Training(stage, inputs, self.context, self.home, From(self.journal, {}), "")
            names = BEST_FIRST if self.context.trainer.keep_best else BEST_FIRST[::-1]
            weights = weights_of(checkpoint_folder, names)
            content = read_training(weights)
            training.load(content)
            log.info("weights: %s, of step %d", weights, content["state"]["step"])
            self.parameters = training.parameters
            return stage, training.evaluator
        noted = self.ledger.artifact(stage.name)
        artifact = store.read(noted) if noted is not None else None
        if artifact is None:
            raise ConfigError(f"checkpoint={checkpoint_folder} holds no finished stage {stage.name}")
        assert isinstance(stage, ComputeStage)
        build(stage, inputs, self.context.seed)
        stage.restore(artifact, inputs)
        return stage, Evaluator(stage, self.context.seed, None, self.context.stop.check)


class From:
    """A journal whose stage began at `start`: rewinding to nothing rewinds to there."""

    def __init__(self, journal: Journal | Silent, start: dict[str, int]) -> None:
        self._journal, self._start = journal, start
        self.write, self.speed, self.picture, self.sync = (
            journal.write,
            journal.speed,
            journal.picture,
            journal.sync,
        )

    def rewind(self, position: dict[str, int]) -> None:
        self._journal.rewind(position or self._start)


def make_method(composed: Composed) -> Method:
    """The method, imported now; raises `ConfigError` if its stages are not what stages are."""
    method: Method = composed.method.refer(composed.method.entry.method)(composed.method_config)
    names = [stage.name for stage in method.stages()]
    if not names or len(set(names)) != len(names):
        raise ConfigError(f"method {composed.choices['method']} has stages {names}; names must differ")
    return method


def weights_of(folder: Path, names: tuple[str, ...] = BEST_FIRST) -> Path:
    """The checkpoint to evaluate in a run's folder, the first of `names`; `folder` itself if a file."""
    if folder.is_file():
        return folder
    for name in names:
        if (folder / "checkpoints" / name).is_file():
            return folder / "checkpoints" / name
    raise ConfigError(f"checkpoint={folder} holds no checkpoints/best.pt and no checkpoints/last.pt")
