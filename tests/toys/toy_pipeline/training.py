"""The two training stages: a pretext task without labels, then the classes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from datasets.types import ImageBatch, Shuffle
from runner.api import Inputs, Metrics, TrainStage, Update

from .config import TrainingConfig
from .network import network, pixels


class Classifying(TrainStage):
    """Trains the network and a linear head on it."""

    def __init__(self, config: TrainingConfig) -> None:
        self.config, self.length = config, config.steps
        self.monitor = "validation/accuracy"
        self.minimise_monitor = False

    def build(self, inputs: Inputs) -> None:
        self.inputs, self.data = inputs, inputs.data
        self.network = network(math.prod(self.data.shape), self.config.network).to(inputs.device)
        self.head = nn.Linear(self.config.network.width, self.outputs()).to(inputs.device)
        parameters = [*self.network.parameters(), *self.head.parameters()]
        self.optimizer = torch.optim.SGD(parameters, lr=self.config.lr, momentum=0.9)
        self.tracked: dict[str, Any] = {
            "network": self.network,
            "head": self.head,
            "optimizer": self.optimizer,
        }
        self.order = Shuffle(len(self.data.train), inputs.batch_size, inputs.seed)

    def outputs(self) -> int:
        """Number of classes."""
        return len(self.data.classes)

    def sample(self, step: int) -> Tensor:
        return self.order(step)

    def batch(self, index: Tensor) -> ImageBatch:
        images, labels = self.data.train.batch(index)
        return self.pose(ImageBatch(images, labels))

    def pose(self, batch: ImageBatch) -> ImageBatch:
        """The images and what to predict of them; draws from the default generator."""
        return batch

    def rates(self, step: int) -> dict[str, float]:
        return {"optimizer": self.config.lr * (1 - step / self.inputs.steps)}

    def step(self, batch: ImageBatch, update: Update, step: int) -> Metrics:
        self.network.train()
        return update.minimise(self.optimizer, self.loss, batch)

    def loss(self, batch: ImageBatch) -> tuple[Tensor, Metrics]:
        """Cross-entropy and accuracy."""
        logits = self.head(self.network(pixels(batch.images, self.data.levels)))
        right = (logits.argmax(1) == batch.labels).float().mean()
        return cross_entropy(logits, batch.labels), {"accuracy": right}

    @torch.no_grad()
    def evaluate(self, split: str, tick: Callable[[], None]) -> Metrics:
        self.network.eval()
        part, right = getattr(self.data, split), 0.0
        for batch in self.inputs.batches(part, 64):
            tick()
            posed = self.pose(ImageBatch(*batch))
            right += self.loss(posed)[1]["accuracy"].item() * len(posed.labels)
        return {f"{split}/accuracy": right / len(part)}


class Pretrain(Classifying):
    """Predicts by how many quarters an image was turned (after Gidaris et al., 2018)."""

    name = "pretrain"

    def outputs(self) -> int:
        return 4

    def pose(self, batch: ImageBatch) -> ImageBatch:
        turns = torch.randint(4, (len(batch.images),)).to(batch.images.device)
        pairs = zip(batch.images, turns.tolist(), strict=True)
        return ImageBatch(torch.stack([image.rot90(k, (1, 2)) for image, k in pairs]), turns)


class Finetune(Classifying):
    """Predicts the class, from the pre-trained network on."""

    name = "finetune"
    needs = {"pretrain": None}

    def build(self, inputs: Inputs) -> None:
        super().build(inputs)
        self.network.load_state_dict(inputs.artifacts["pretrain"].load()["network"])
