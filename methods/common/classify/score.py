"""How well a classifier does: with running moments, with those of each batch, and on training images."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from datasets.types import ImageBatch, Images, ImageSplit
from methods.common.classify.intervals import wilson
from methods.common.classify.some import Some
from methods.common.norm.recalibrate import batch_moments, recalibrate, recalibrated, tracking
from runner.api import Inputs

LOOK = 256
"""Images at a time, at least, where the running moments are used and the size of a batch does not matter."""

MODES_IMAGES = 1_000
"""Images of a part that are also classified with the moments of their batch."""

GAP_IMAGES = 4_096
"""Training images whose accuracy the test part's is compared with."""

Tick = Callable[[], None]


class Score:
    """Measures a classifier, and leaves it as it was.

    Arguments:
        classifier: from images to logits.
        recalibrate: training batches whose mean moments replace the running ones; 0 for the running ones.
        modes: whether batches as in training can be normalised by their own moments.
    """

    def __init__(
        self, classifier: nn.Module, data: Images, inputs: Inputs, recalibrate: int, modes: bool
    ) -> None:
        self.classifier, self.data, self.inputs = classifier, data, inputs
        self.recalibrate, self.modes = recalibrate, modes

    @torch.no_grad()
    def __call__(self, split: str, tick: Tick) -> dict[str, float]:
        """Accuracy, error and loss of a part, their intervals, and what both modes make of it; of the test
        part, also the gap between it and the training part."""
        part: ImageSplit = getattr(self.data, split)
        with recalibrated(self.classifier, self._calibration(tick)):
            found = self._on_all(part, tick)
            if self.modes and tracking(self.classifier):
                found |= self._modes(part, tick)
            if split == "test":
                on_train = self._on_train(tick)
                found |= {"accuracy_on_train": on_train, "gap": on_train - found["accuracy"]}
        return found

    def settle(self) -> None:
        """Gives the classifier the moments that it is measured with, for good."""
        recalibrate(self.classifier, self._calibration(lambda: None))

    def _calibration(self, tick: Tick) -> Iterator[Tensor]:
        """Whole batches; of a part that is smaller than one, all of it."""
        size = min(self.inputs.part_size, len(self.data.train))
        some = Some(self.data.train, self.recalibrate * size)
        for batch in self.inputs.batches(some, size):
            if len(batch.labels) == size:
                tick()
                yield batch.images

    def _on_all(self, part: ImageSplit, tick: Tick) -> dict[str, float]:
        right = loss = 0.0
        for batch, _ in self.inputs.share(part, max(self.inputs.batch_size, LOOK)):
            tick()
            if batch is not None:
                logits = self.classifier(batch.images)
                right += (logits.argmax(1) == batch.labels).sum().item()
                loss += functional.cross_entropy(logits.float(), batch.labels, reduction="sum").item()
        totals, count = self.inputs.total({"right": right, "loss": loss}), len(part)
        low, high = wilson(totals["right"], count)
        low_error, high_error = wilson(count - totals["right"], count)
        return {
            "accuracy": totals["right"] / count, "accuracy_low": low, "accuracy_high": high,
            "error": 1 - totals["right"] / count, "error_low": low_error, "error_high": high_error,
            "loss": totals["loss"] / count,
        }  # fmt: skip

    def _modes(self, part: ImageSplit, tick: Tick) -> dict[str, float]:
        """Accuracy with the moments of batches as in training, less that with the running ones on the same
        images, and the share of these that the two classify differently.

        Nothing where a part holds less than one such batch.
        """
        size = self.inputs.part_size
        count = min(len(part), max(size, MODES_IMAGES)) // size
        batches = list(self.inputs.batches(Some(part, count * size), size))
        if not batches:
            return {}
        labels = torch.cat([batch.labels for batch in batches])
        running = self._classes(batches, tick)
        with batch_moments(self.classifier):
            train = self._classes(batches, tick)
        right, images = (train == labels).double().mean(), len(labels)
        low, high = wilson(images * right.item(), images)
        return {
            "accuracy_train_mode": right.item(),
            "accuracy_train_mode_low": low,
            "accuracy_train_mode_high": high,
            "error_train_mode": 1 - right.item(),
            "error_train_mode_low": 1 - high,
            "error_train_mode_high": 1 - low,
            "train_mode_gap": (right - (running == labels).double().mean()).item(),
            "modes_differ": (train != running).double().mean().item(),
        }

    def _on_train(self, tick: Tick) -> float:
        """Accuracy on training images as they are."""
        batches = list(self.inputs.batches(Some(self.data.train.plain, GAP_IMAGES), LOOK))
        labels = torch.cat([batch.labels for batch in batches])
        return (self._classes(batches, tick) == labels).double().mean().item()

    def _classes(self, batches: list[ImageBatch], tick: Tick) -> Tensor:
        found = []
        for batch in batches:
            tick()
            found.append(self.classifier(batch.images).argmax(1))
        return torch.cat(found)
