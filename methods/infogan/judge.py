"""A small classifier of the data, trained first, that looks at samples afterwards."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from datasets.types import ImageBatch, Images, Shuffle
from runner.api import Inputs, Metrics, TrainStage, Update

RATE = 1e-3


class Convolutional(nn.Sequential):
    """Two convolutions with maxima between them and two linear maps, after LeNet; `[B, C, H, W]` in [0, 1] to
    `[B, classes]`."""

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        side = [max(1, n // 4) for n in shape[1:]]
        super().__init__(
            nn.Conv2d(shape[0], 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(32 * side[0] * side[1], 128), nn.ReLU(), nn.Linear(128, classes),
        )  # fmt: skip


class Judge(TrainStage):
    """Learns the data's classes by Adam."""

    name = "judge"

    def __init__(self, steps: int) -> None:
        self.config = self.length = steps

    def build(self, inputs: Inputs) -> None:
        self.inputs, self.data = inputs, inputs.data
        data: Images = self.data
        self.net = Convolutional(data.shape, len(data.classes)).to(inputs.device)
        self.optimizer = torch.optim.Adam(self.net.parameters(), RATE)
        self.tracked = {"net": self.net, "optimizer": self.optimizer}
        self.order = Shuffle(len(data.train), inputs.batch_size, inputs.seed)

    def sample(self, step: int) -> Tensor:
        return self.order(step)

    def batch(self, index: Tensor) -> ImageBatch:
        found: ImageBatch = self.data.train.batch(index)
        return found

    def step(self, batch: ImageBatch, update: Update, step: int) -> Metrics:
        self.net.train()
        return update.minimise(self.optimizer, self.loss, batch)

    def loss(self, batch: ImageBatch) -> tuple[Tensor, Metrics]:
        """Cross-entropy in nats."""
        scores = self.net(batch.images.float() / (self.data.levels - 1))
        return nn.functional.cross_entropy(scores, batch.labels), {}

    @torch.no_grad()
    def evaluate(self, split: str, tick: Callable[[], None]) -> Metrics:
        self.net.eval()
        part, right = getattr(self.data, split), 0
        for batch in self.inputs.batches(part, 500):
            tick()
            scores = self.net(batch.images.float() / (self.data.levels - 1))
            right += int((scores.argmax(1) == batch.labels).sum())
        return {f"{split}/classifier_accuracy": right / len(part)}
