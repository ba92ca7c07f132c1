"""The stage that trains a classifier and says how well it does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from datasets.types import ImageBatch, Images, ImageSplit, Shuffle
from methods.common.classify.build import network
from methods.common.classify.config import ClassifierConfig
from methods.common.classify.inputs import Binary, Standardise
from methods.common.classify.intervals import wilson
from methods.common.classify.probe import Probe
from methods.common.norm.recalibrate import batch_moments, recalibrated, tracking
from methods.common.schedules import learning_rate, step_decay
from runner.api import Inputs, Metrics, Picture, TrainStage, Update

LOOK = 256
"""Images at a time, at least, where the running moments are used and the size of a batch does not matter."""

TRAIN_MODE_IMAGES = 1_000
"""Images of a part that are also classified with the moments of their batch."""

GAP_IMAGES = 4_096
"""Training images whose accuracy the test part's is compared with."""


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
        self._refuse(data)
        self.classifier = self._made(data).to(inputs.device)
        self.optimizer = torch.optim.SGD(self._groups(), momentum=self.config.momentum, fused=True)
        self.tracked = {"classifier": self.classifier, "optimizer": self.optimizer}
        for probe in self.probes:
            probe.begin(self.classifier, data, inputs)
            self.tracked[probe.name] = probe
        self.order = Shuffle(len(data.train), inputs.batch_size, inputs.seed)

    def _refuse(self, data: Images) -> None:
        """Raises ValueError where a batch does not go through the network, before anything is made."""
        config = self.config
        if config.norm_momentum is None:  # a mean of all batches counts them, which needs numbers
            config = replace(config, norm_momentum=0.1)
        with torch.device("meta"):
            net = network(config, data.shape, len(data.classes)).train()
            try:
                net(torch.empty(self.inputs.batch_size, *data.shape))
            except (ValueError, RuntimeError) as error:
                what = f"method.network={config.network} with method.norm={config.norm}"
                size = f"batches of {self.inputs.batch_size} images of {tuple(data.shape)}"
                raise ValueError(f"{what} takes no {size}: {error}") from None

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
        for probe in self.probes:
            found |= probe.after(step, batch)
        return found

    def loss(self, batch: ImageBatch) -> tuple[Tensor, Metrics]:
        """Mean cross-entropy in nats, and the share of errors."""
        logits = self.classifier(batch.images)
        wrong = (logits.detach().argmax(1) != batch.labels).float().mean()
        return functional.cross_entropy(logits, batch.labels), {"error": wrong}

    @torch.no_grad()
    def evaluate(self, split: str, tick: Callable[[], None]) -> Metrics:
        part: ImageSplit = getattr(self.data, split)
        size = max(self.inputs.batch_size, LOOK)
        sums = {"right": 0.0, "loss": 0.0}
        with recalibrated(self.classifier, self._calibration(tick)):
            for batch, _ in self.inputs.share(part, size):
                tick()
                if batch is not None:
                    right, loss = self._scored(batch)
                    sums = {"right": sums["right"] + right, "loss": sums["loss"] + loss}
            on_train = self._on_train(tick) if split == "test" else None
        totals, count = self.inputs.total(sums), len(part)
        low, high = wilson(totals["right"], count)
        found = {
            "accuracy": totals["right"] / count, "accuracy_low": low, "accuracy_high": high,
            "error": 1 - totals["right"] / count, "error_low": 1 - high, "error_high": 1 - low,
            "loss": totals["loss"] / count,
        }  # fmt: skip
        if tracking(self.classifier):
            found |= self._train_mode(part, tick)
        if on_train is not None:
            found |= {"accuracy_on_train": on_train, "gap": on_train - found["accuracy"]}
        if split == "validation":  # which is what probes look at
            for probe in self.probes:
                found |= probe.metrics()
        return {f"{split}/{name}": value for name, value in found.items()}

    def _scored(self, batch: ImageBatch) -> tuple[float, float]:
        """How many of a batch are right, and the sum of its losses."""
        logits = self.classifier(batch.images)
        loss = functional.cross_entropy(logits.float(), batch.labels, reduction="sum")
        return (logits.argmax(1) == batch.labels).sum().item(), loss.item()

    def _calibration(self, tick: Callable[[], None]) -> Iterator[Tensor]:
        batches = self.inputs.batches(self.data.train, self.inputs.batch_size)
        for batch in islice(batches, self.config.recalibrate_batches):
            tick()
            yield batch.images

    def _train_mode(self, part: ImageSplit, tick: Callable[[], None]) -> dict[str, float]:
        """Accuracy with the moments of batches as in training, on the first images, and with the running ones
        on the same.

        A gap shows what it costs that evaluation is another function than training.
        """
        size = self.inputs.batch_size
        count = min(len(part), TRAIN_MODE_IMAGES) // size
        batches = list(islice(self.inputs.batches(part, size), count))
        if not batches:
            return {}
        with batch_moments(self.classifier):
            train = sum(self._ticked(batch, tick) for batch in batches)
        self.classifier.eval()
        running = sum(self._ticked(batch, tick) for batch in batches)
        return {
            "accuracy_train_mode": train / (count * size),
            "train_mode_gap": (train - running) / (count * size),
        }

    def _on_train(self, tick: Callable[[], None]) -> float:
        """Accuracy on the first training images as they are."""
        batches = self.inputs.batches(self.data.train.plain, LOOK)
        first = list(islice(batches, -(-min(len(self.data.train), GAP_IMAGES) // LOOK)))
        right = sum(self._ticked(batch, tick) for batch in first)
        return right / sum(len(batch.labels) for batch in first)

    def _ticked(self, batch: ImageBatch, tick: Callable[[], None]) -> float:
        tick()
        return self._scored(batch)[0]

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
