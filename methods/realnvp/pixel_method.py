"""PixelCNN and independent pixels as a method: what a flow's bits per dimension are compared with."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy
import torch
from PIL import Image
from torch import Tensor

from datasets.types import ImageBatch, Images, ImageSplit, Shuffle
from methods.common.pictures import grid
from methods.common.schedules import learning_rate
from methods.realnvp.config import PixelCNNConfig
from methods.realnvp.density import bits_per_dim
from methods.realnvp.pixelcnn import PixelCNN, Pixelwise
from runner.api import Inputs, Method, Metrics, Picture, Stage, TrainStage, Update, Work

SIDE = 64


class PixelMethod(Method):
    """A likelihood of integer pixels, autoregressive or pixel by pixel."""

    config: PixelCNNConfig

    def stages(self) -> list[Stage]:
        return [PixelStage(self.config)]


class PixelStage(TrainStage):
    """Maximises the likelihood of integer images, in nats per image."""

    name = "pixels"
    monitor = "validation/bits_per_dim"

    def __init__(self, config: PixelCNNConfig) -> None:
        self.config = config

    def build(self, inputs: Inputs) -> None:
        data: Images = inputs.data
        c, self.inputs, self.data = self.config, inputs, data
        self.dimensions = data.shape[0] * data.shape[1] * data.shape[2]
        model: PixelCNN | Pixelwise
        if c.model == "pixelwise":
            model = Pixelwise(data.shape, data.levels)
        else:
            model = PixelCNN(data.shape, data.levels, c.width, c.blocks, c.dropout)
        self.model = model.to(inputs.device)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=c.lr, fused=True)
        self.tracked = {"model": self.model, "optimizer": self.optimizer}
        self.order = Shuffle(len(data.train), inputs.batch_size, inputs.seed)

    def sample(self, step: int) -> Tensor:
        return self.order(step)

    def batch(self, index: Tensor) -> ImageBatch:
        return self.data.train.batch(index)

    def rates(self, step: int) -> dict[str, float]:
        return {"optimizer": learning_rate(step, self.config.lr, self.config.schedule, 0, self.inputs.steps)}

    def step(self, batch: ImageBatch, update: Update, step: int) -> Metrics:
        self.model.train()
        return update.minimise(self.optimizer, self.loss, batch)

    def loss(self, batch: ImageBatch) -> tuple[Tensor, Metrics]:
        """Mean negative log-likelihood in nats per image."""
        total = self.model(batch.images)
        return -total.mean(), {"bits_per_dim": bits_per_dim(total.detach(), self.dimensions).mean()}

    @torch.no_grad()
    def evaluate(self, split: str, tick: Callable[[], None]) -> Metrics:
        self.model.eval()
        part: ImageSplit = getattr(self.data, split)
        nats = 0.0
        for batch, _ in self.inputs.share(part, self.inputs.batch_size):
            tick()
            nats -= 0.0 if batch is None else self.model(batch.images).double().sum().item()
        mean = torch.tensor(self.inputs.total({"nats": nats})["nats"] / len(part))
        return {f"{split}/nats": mean, f"{split}/bits_per_dim": bits_per_dim(-mean, self.dimensions)}

    def figures(self) -> dict[str, Picture]:
        images = self._drawn(min(self.config.samples, 16), self.inputs.seed)[0]
        return {"samples": grid(images, 4, self.data.levels, SIDE)}

    def perform(self, task: str, work: Work, inputs: Inputs) -> Metrics:
        """`task=sample`: writes `figures/samples.npy` and `.png`; says how long an image took, and how often
        the network was asked for it."""
        began = time.perf_counter()
        images, passes = self._drawn(self.config.samples, inputs.seed)
        seconds = (time.perf_counter() - began) / len(images)
        place = work.dir / "figures"
        place.mkdir(exist_ok=True)
        numpy.save(place / "samples.npy", images.to(torch.uint8).cpu().numpy(), allow_pickle=False)
        columns = max(1, round(self.config.samples**0.5))
        Image.fromarray(grid(images, columns, self.data.levels, SIDE).numpy()).save(place / "samples.png")
        return {"sample/seconds_per_image": seconds, "sample/passes": float(passes)}

    def _drawn(self, count: int, seed: int) -> tuple[Tensor, int]:
        self.model.eval()
        return self.model.sample(count, torch.Generator(self.inputs.device).manual_seed(seed))
