"""The stage that trains a classifier and says how well it does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from datasets.types import ImageBatch, Images, Shuffle
from methods.common.classify.answers import Answers
from methods.common.classify.build import network
from methods.common.classify.config import BATCH, ClassifierConfig
from methods.common.classify.inputs import Binary, Standardise
from methods.common.classify.probe import Probe
from methods.common.classify.recent import Recent
from methods.common.classify.score import Score
from methods.common.schedules import learning_rate, step_decay
from runner.api import Inputs, Metrics, Picture, TrainStage, Update


class Classifier(nn.Module):
    """What prepares grey levels, and the network."""

    def __init__(self, prepare: nn.Module, net: nn.Module) -> None:
        super().__init__()
        self.prepare, self.net = prepare, net

    def forward(self, images: Tensor) -> Tensor:
        """Integers `[B, C, H, W]` to logits `[B, classes]`."""
        logits: Tensor = self.net(self.prepare(images))
        return logits


class ClassifyStage(TrainStage):
    """Minimises the cross-entropy by SGD with momentum.

    Arguments:
        config: network and optimiser.
        probes: what looks on while the network trains.
    """

    name = "classify"
    monitor = "validation/error"

    def __init__(self, config: ClassifierConfig, probes: Sequence[Probe] = ()) -> None:
        self.config, self.probes = config, probes

    def build(self, inputs: Inputs) -> None:
        self.inputs, self.data = inputs, inputs.data
        data: Images = inputs.data
        modes = self._refuse(data)
        self.classifier = self._made(data).to(inputs.device)
        self.optimizer = torch.optim.SGD(self._groups(), momentum=self.config.momentum, fused=True)
        self.recent = Recent()
        self.tracked = {
            "classifier": self.classifier, "optimizer": self.optimizer, "recent": self.recent
        }  # fmt: skip
        self.score = Score(self.classifier, data, inputs, self.config.recalibrate_batches, modes)
        for probe in self.probes:
            probe.begin(self.classifier, data, inputs)
            self.tracked[probe.name] = probe
        self.order = Shuffle(len(data.train), inputs.batch_size, inputs.seed)

    def _refuse(self, data: Images) -> bool:
        """Raises ValueError where images do not go through the network, before anything is made.

        Returns whether a part of a training batch does so in training mode, which only training, and moments
        of training batches, ask for.
        """
        if len(data.classes) < 2:
            raise ValueError(
                f"a classifier needs two classes or more; {data.name} has only {data.classes[0]!r} (the "
                f"pictures of a class lie in a folder of their own)"
            )
        training = self._alone(data) or self._misfit(data, training=True)
        needed = self.inputs.checkpoint is None or self.config.recalibrate_batches > 0
        if misfit := training if needed else self._misfit(data, training=False):
            raise ValueError(misfit)
        return training is None

    def _alone(self, data: Images) -> str | None:
        """Why batch statistics cannot be taken; None if they can, or none are taken."""
        if self.config.norm not in BATCH or self.inputs.part_size > 1:
            return None
        return (
            f"method.norm={self.config.norm} takes moments over a batch of two images or more, and "
            f"{self._divided} leaves one, {(1, *data.shape)}"
        )

    @property
    def _divided(self) -> str:
        """What makes the smallest part of a batch as large as it is."""
        said, parts = f"dataset.batch_size={self.inputs.batch_size}", self.inputs.parts
        return said if parts == 1 else f"{said} in {parts} parts (trainer.accumulate, trainer.devices)"

    def _misfit(self, data: Images, training: bool) -> str | None:
        """Why images do not go through the network; None if they do."""
        # Our own layers say it of what torch's let pass, and a mean of all batches needs numbers to count.
        config = replace(self.config, norm_impl="reference", norm_momentum=0.1)
        size, c = self.inputs.part_size, self.config
        with torch.device("meta"):
            net = network(config, data.shape, len(data.classes)).train(training)
            try:
                net(torch.empty(size, *data.shape))
            except (ValueError, RuntimeError) as error:
                what = f"method.network={c.network} with method.norm={c.norm}"
                of = f"{size} images of {tuple(data.shape)}, as {self._divided} makes them"
                return f"{what} takes no batches of {of}: {error}"
        return None

    def _made(self, data: Images) -> Classifier:
        prepare: nn.Module = Binary(data.levels)
        if self.config.input == "standard":
            prepare = Standardise(data.shape[0])
            prepare.fit(data.train)
        return Classifier(prepare, network(self.config, data.shape, len(data.classes)))

    def _groups(self) -> list[dict[str, Any]]:
        """Matrices and kernels apart from gains and offsets, which may decay otherwise."""
        c, parameters = self.config, list(self.classifier.parameters())
        plain = c.weight_decay if c.norm_decay is None else c.norm_decay
        groups = [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": c.weight_decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": plain},
        ]
        return [{**group, "lr": self._rate(0)} for group in groups if group["params"]]

    def _rate(self, step: int) -> float:
        c, steps = self.config, self.inputs.steps
        base = c.lr if c.lr_batch is None else c.lr * self.inputs.batch_size / c.lr_batch
        if c.schedule != "step":
            return learning_rate(step, base, c.schedule, c.warmup, steps)
        base = learning_rate(step, base, "constant", c.warmup, steps)
        return step_decay(step, base, c.milestones, c.decay, steps)

    def rates(self, step: int) -> dict[str, float]:
        return {"optimizer": self._rate(step)}

    def sample(self, step: int) -> Tensor:
        return self.order(step)

    def batch(self, index: Tensor) -> ImageBatch:
        return self.data.train.batch(index)

    def step(self, batch: ImageBatch, update: Update, step: int) -> Metrics:
        if not self.classifier.training:  # going through all of its layers takes a while
            self.classifier.train()
        for probe in self.probes:
            probe.before(step, batch)
        found = update.minimise(self.optimizer, self.loss, batch)
        self.recent.step = step + 1
        for probe in self.probes:
            found |= probe.after(step, batch)
        return found

    def loss(self, batch: ImageBatch) -> tuple[Tensor, Metrics]:
        """Mean cross-entropy in nats, and the share of errors."""
        logits = self.classifier(batch.images)
        wrong = (logits.detach().argmax(1) != batch.labels).float().mean()
        return functional.cross_entropy(logits, batch.labels), {"error": wrong}

    def evaluate(self, split: str, tick: Callable[[], None]) -> Metrics:
        found = self.score(split, tick)
        if split == "validation":
            if self.inputs.checkpoint is None:
                self.recent.add(found["error"])
                found["error_median_last5"] = self.recent.median
            for probe in self.probes:  # which look at this part
                found |= probe.metrics()
        return {f"{split}/{name}": value for name, value in found.items()}

    def as_model(self, kind: str) -> Answers:
        """The classifier, with the moments that an evaluation has."""
        if self.config.input == "binary":
            raise ValueError(
                "method.input=binary rounds pixels to 0 and 1, and no gradient comes back to them"
            )
        self.score.settle()
        return Answers(self.classifier, self.data)

    def figures(self) -> dict[str, Picture]:
        return {name: picture for probe in self.probes for name, picture in probe.figures().items()}

    def diagnose(self, batch: ImageBatch) -> str | None:
        """Name of the first layer whose output is not finite for `batch`."""
        found: list[str] = []
        hooks = [
            module.register_forward_hook(
                lambda _, given, out, name=name: found.append(name) if not out.isfinite().all() else None
            )
            for name, module in self.classifier.named_modules()
            if not list(module.children())
        ]
        try:
            with torch.no_grad():
                self.classifier(batch.images)
        finally:
            for hook in hooks:
                hook.remove()
        return found[0] if found else None
