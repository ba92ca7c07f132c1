"""What a method sees of the runner: `Method`, its stages, and the hands that the engine lends to a stage.

A method lists stages; the engine runs them, seeds them, logs them, saves them and takes them up again.
Importing this module does not import torch, so that a method's name, kind of data and settings are known
before anything heavy loads.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Batch = Any
"""A tensor, or a tuple, named tuple, list or dictionary of batches; all tensors share their first
dimension."""

Metrics = dict[str, Any]
"""Names to numbers or scalar tensors."""

Picture = Any
"""uint8 `[H, W]` or `[H, W, 3]` (array or tensor), or a matplotlib figure."""


class Note(UserWarning):
    """One sentence that a user should know of a run that goes on: `warnings.warn(sentence, Note)` makes it a
    line of the log."""


@dataclass(frozen=True)
class Projection:
    """Embeddings to be turned about in TensorBoard's projector.

    Attributes:
        vectors: float `[N, D]`.
        names: what each is called, such as its class.
        images: uint8 `[N, C, H, W]` with 1 or 3 channels, a small picture of each, or None.
    """

    vectors: Tensor
    names: Sequence[str]
    images: Tensor | None = None


CHECK = "check/"
"""What the name of a task that is a check begins with."""


@dataclass(frozen=True)
class MethodEntry:
    """How a method is found by name; a package in `methods/` lists its own in `METHODS`.

    Attributes:
        name: what the user types, and the name of its YAML.
        summary: one line for `run list`.
        paper: authors, title, venue and year.
        config: `"module:Class"` of its dataclass, relative to the package (`".config:Config"`); imports no
            torch.
        method: `"module:Class"` of the `Method`.
        needs: the kind of data it runs on.
        tasks: what `task=` offers; the runner itself does `train` and `evaluate`.
        checks: name to `"module:function"` of what the method claims exactly, such as an identity; done by
            `task=check/NAME`, which trains nothing. The function takes the method's config and `Inputs`
            and returns metrics; see `docs/retest.md`.
        provides: artifact kind to the stage that makes it, for other methods.
        metrics: names of what it logs and reports, as patterns such as `test/*`; with them, a claim about a
            metric that does not exist is refused before anything runs.
        trains_from_checkpoint: whether `task=train checkpoint=DIR` means something, such as a model to study.
        models: what a finished run is to other methods: `classifier`, `density`; its last stage's `as_model`
            makes it.
    """

    name: str
    summary: str
    paper: str
    config: str
    method: str
    needs: str
    tasks: tuple[str, ...] = ("train", "evaluate")
    checks: Mapping[str, str] = field(default_factory=dict)
    provides: Mapping[str, str] = field(default_factory=dict)
    metrics: tuple[str, ...] = ()
    trains_from_checkpoint: bool = False
    models: tuple[str, ...] = ()

    @property
    def all_tasks(self) -> tuple[str, ...]:
        """What `task=` offers, checks included."""
        return (*self.tasks, *(f"{CHECK}{name}" for name in self.checks))


@dataclass(frozen=True)
class Source:
    """Where an artifact of another method comes from: exactly one of `method` and `path` is set.

    A field of this type in a method's dataclass is how its YAML asks: `{method: NAME, config: {...}, path:
    null}`.
    """

    method: str | None = field(metadata={"help": "method that makes the artifact; null = take it from path"})
    config: dict[str, Any] = field(metadata={"help": "settings of that method that differ from its YAML"})
    path: str | None = field(metadata={"help": "folder of a finished artifact"})

    def __post_init__(self) -> None:
        if (self.method is None) == (self.path is None):
            raise ValueError("method and path: exactly one of them must be set")


class Classifier(Protocol):
    """A classifier that a finished run trained, as it answers in evaluation.

    Attributes:
        shape: `(C, H, W)` of its images.
        classes: names of its classes.
    """

    shape: tuple[int, int, int]
    classes: tuple[str, ...]

    def logits(self, images: Tensor) -> Tensor:
        """Images, float `[B, C, H, W]` in [0, 1], to logits `[B, classes]`; gradients go back to images."""


class Density(Protocol):
    """A density of images that a finished run learned.

    Attributes:
        shape: `(C, H, W)` of its images.
    """

    shape: tuple[int, int, int]

    def log_density(self, images: Tensor) -> Tensor:
        """Images, float `[B, C, H, W]` in [0, 1], to log-densities `[B]` in nats, up to a constant."""


class Stateful(Protocol):
    """Modules, optimisers and anything else whose state belongs into a checkpoint."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> Any: ...


@dataclass(frozen=True)
class Artifact:
    """What a finished stage left: a folder, and the metrics that it ended with."""

    path: Path
    metrics: Mapping[str, float]

    def load(self, name: str = "weights.pt") -> dict[str, Any]:
        """State dictionaries that the stage exported, by the names under which it tracked them (on the
        CPU)."""
        import torch

        state: dict[str, Any] = torch.load(self.path / name, map_location="cpu", weights_only=True)
        return state


@dataclass(frozen=True)
class Inputs:
    """What a stage is given when its turn comes.

    Attributes:
        data: the data, of the kind that the method needs.
        device: where modules and batches live.
        steps: length of this stage's training, in steps (0 for a `ComputeStage`).
        batch_size: items of one batch, from `dataset.batch_size`.
        parts: how many parts a training batch is divided into, by `trainer.accumulate` and `trainer.devices`,
            each of which goes through the modules by itself.
        seed: seed of this stage; a function of the run's seed and the stage's name.
        artifacts: what the stage's `needs` name: earlier stages and artifact kinds.
        batches: `batches(split, size)` yields the split's batches in order, on the device, and the same ones
            each time; `split.plain` has them without augmentation.
        checkpoint: folder of the finished run given by `checkpoint=`, or None.
        model: `model(kind, folder)` is what a finished run is as a `Classifier` or a `Density`.
        share, total: how several processes evaluate together. `share(split, size)` yields every batch of the
            split as `(batch, length)`, the batch being None where another process sees to it; `total(sums)`
            then adds up the sums of all. In one process no batch is None, and `total` changes nothing.
    """

    data: Any
    device: torch.device
    steps: int
    batch_size: int
    seed: int
    artifacts: Mapping[str, Artifact] = field(default_factory=dict)
    batches: Callable[[Any, int], Iterator[Any]] = lambda split, size: iter(())
    checkpoint: Path | None = None
    share: Callable[[Any, int], Iterator[tuple[Any, int]]] = lambda split, size: iter(())
    total: Callable[[Mapping[str, float]], dict[str, float]] = dict
    parts: int = 1
    model: Callable[[str, Path], Any] = lambda kind, place: None

    @property
    def part_size(self) -> int:
        """Items of the smallest part of a training batch, over which batch statistics are taken."""
        return max(1, self.batch_size // self.parts)


class Stage(ABC):
    """One part of a method that runs to its end before the next begins.

    Attributes:
        name: unique within the method.
        config: the sub-configuration that this stage depends on, and nothing else; part of its artifact's
            key.
        needs: names of earlier stages, and kinds of other methods' artifacts mapped to where they come from.
    """

    name: str
    config: Any
    needs: Mapping[str, Source | None] = {}

    def export(self, folder: Path) -> None:  # noqa: B027 - most stages add nothing
        """Writes what later stages need into `folder`, beside what the engine writes there."""

    def evaluate(self, split: str, tick: Callable[[], None]) -> Metrics:
        """Metrics named `<split>/<name>` for split `validation` or `test`; calls `tick` once per batch."""
        return {}

    def as_model(self, kind: str) -> Any:
        """The stage, as it is evaluated, as a model of a kind that its method's entry names: a `Classifier`,
        a `Density`."""
        raise ValueError(f"stage {self.name} is no {kind}")

    def perform(self, task: str, work: Work, inputs: Inputs) -> Metrics:
        """Does a task of the method other than `train` and `evaluate`, with what was learned restored.

        A metric may be a tensor `[N]`, one value for each item: its mean is reported, and the values are kept
        for claims, which can tell how much of a difference is due to the items drawn.
        """
        raise ValueError(f"stage {self.name} does not do task {task!r}")


class Update(Protocol):
    """How a stage changes its parameters; lent by the engine, which knows precision, accumulation and
    devices."""

    def minimise(
        self,
        optimizer: torch.optim.Optimizer,
        loss: Callable[[Any], tuple[Tensor, Metrics]],
        batch: Batch,
        clip: float | None = None,
    ) -> Metrics:
        """One step of `optimizer` on the mean of `loss` over `batch`.

        `loss` maps a (micro-)batch to a scalar and metrics. Gradients go to this optimiser's parameters only.
        `clip` replaces `trainer.clip` as the bound of the global gradient norm. Returns the metrics, averaged
        over micro-batches, with `loss` (and `grad_norm` where gradients are clipped) added.
        """

    def apply(
        self, optimizer: torch.optim.Optimizer, gradients: Iterable[Tensor | None], clip: float | None = None
    ) -> Metrics:
        """One step of `optimizer` with `gradients` set by hand, one for each of its parameters in order.

        Raises `ConfigError` where another precision or micro-batches were asked for, which only `minimise`
        can give.
        """


class TrainStage(Stage):
    """A stage that takes steps on batches.

    Attributes:
        length: its number of steps where the method fixes it; None leaves it to `trainer.steps` and
            `trainer.epochs`.
        tracked: every module, optimiser and counter that matters, by name; set by `build`.
        monitor: metric of `evaluate("validation")` that decides about best and early stop; None for neither.
        minimise_monitor: whether smaller is better.
        averaged: names in `tracked` of which `trainer.ema` keeps averages; None for all modules.
    """

    length: int | None = None
    tracked: dict[str, Any]
    monitor: str | None = None
    minimise_monitor: bool = True
    averaged: tuple[str, ...] | None = None

    def items(self, data: Any) -> int:
        """Number of items that make an epoch."""
        return len(data.train)

    @abstractmethod
    def build(self, inputs: Inputs) -> None:
        """Makes modules and optimisers on `inputs.device`; the generators were seeded by (seed, stage)."""

    @abstractmethod
    def sample(self, step: int) -> Any:
        """What to read for `step`, such as indices; a pure function of the step."""

    @abstractmethod
    def batch(self, index: Any) -> Batch:
        """The batch of `index`, on the CPU; may run in a worker process, seeded by the step."""

    @abstractmethod
    def step(self, batch: Batch, update: Update, step: int) -> Metrics:
        """One training step on `batch`, which is on the device; returns what to log."""

    def rates(self, step: int) -> dict[str, float]:
        """Learning rate of each tracked optimiser at `step`; those not named keep theirs."""
        return {}

    def diagnose(self, batch: Batch) -> str | None:
        """Names the layer at which numbers stop being finite for `batch`; None if the stage cannot tell."""
        return None

    def figures(self) -> dict[str, Picture | Projection]:
        """Pictures by name, and embeddings to be looked at, of the weights that are evaluated."""
        return {}


class Work(Protocol):
    """The hands lent to a `ComputeStage`.

    Attributes:
        dir: a folder that survives kills and becomes the stage's artifact when `run` returns.
    """

    dir: Path

    def blocks(self, count: int, flush: Callable[[], None] | None = None) -> Iterator[int]:
        """Numbers `0..count-1` of the blocks that are still to do, each seeded by its number.

        After the body of a block, `flush` must put its results on disk; then the block counts as done, a
        resumed run begins after it, and a stop that was asked for takes place.
        """


class ComputeStage(Stage):
    """A stage that computes something once: features, a cache, a closed-form fit."""

    def build(self, inputs: Inputs) -> None:
        """Makes what `run` and `restore` work with, seeded as for a `TrainStage`; a ValueError says in a
        sentence that settings and data do not fit each other."""

    @abstractmethod
    def run(self, work: Work, inputs: Inputs) -> Metrics:
        """Writes its results below `work.dir` and returns metrics named `<split>/<name>`."""

    def restore(self, artifact: Artifact, inputs: Inputs) -> None:
        """Takes up what `run` left, so that `evaluate` and `perform` can use it."""


class Method(ABC):
    """A method: its settings and its stages.

    Attributes:
        config: an instance of its dataclass.
    """

    def __init__(self, config: Any) -> None:
        self.config = config

    @abstractmethod
    def stages(self) -> list[Stage]:
        """The stages in order; cheap, builds no module."""
