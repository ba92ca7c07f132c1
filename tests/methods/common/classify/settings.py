"""Small data and settings of classifiers."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from datasets.types import ImageBatch, Images, ImageSplit
from methods.common.classify.config import ClassifierConfig
from methods.common.classify.probe import Probe
from methods.common.classify.stage import ClassifyStage
from runner.api import Inputs
from runner.engine.feed import Feed
from runner.engine.seeding import Stream
from runner.engine.update import Updater

PLAIN: dict[str, Any] = {
    "network": "mlp", "hidden": (12, 10), "depth": 8, "width": 4, "activation": "sigmoid", "dropout": 0.0,
    "norm": "batch", "groups": None, "grouping": "neighbours", "norm_impl": "fused",
    "norm_momentum": 0.1, "zero_gamma": True,
    "input": "standard", "init": "he", "init_std": 0.1, "lr": 0.1, "lr_batch": None, "momentum": 0.9,
    "weight_decay": 0.0, "norm_decay": None, "schedule": "constant", "milestones": (0.5,), "decay": 0.1,
    "warmup": 0, "recalibrate_batches": 0,
}  # fmt: skip


def config(**changes: Any) -> ClassifierConfig:
    return ClassifierConfig(**{**PLAIN, **changes})


class Few(ImageSplit):
    """Random images in which the class is how bright they are."""

    def __init__(self, count: int, seed: int, shape: tuple[int, int, int] = (1, 8, 8)) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.labels = torch.arange(count) % 4
        noise = torch.rand(count, *shape, generator=generator)
        self.images = ((self.labels.view(-1, 1, 1, 1) + noise) * 51).byte()

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, indices: Tensor) -> ImageBatch:
        return ImageBatch(self.images[indices], self.labels[indices])


def images(count: int = 64, shape: tuple[int, int, int] = (1, 8, 8)) -> Images:
    parts = [Few(count, seed, shape) for seed in range(3)]
    return Images("few", "0", shape, 256, ("a", "b", "c", "d"), *parts)


CPU = torch.device("cpu")


def built(
    *probes: Probe,
    data: Images | None = None,
    batch_size: int = 8,
    steps: int = 40,
    parts: int = 1,
    checkpoint: Path | None = None,
    **changes: Any,
) -> ClassifyStage:
    """A stage that is ready to train."""
    feed, stream = Feed(CPU, 0), Stream(0, "classify", "look")
    looks = {"batches": partial(feed.batches, stream), "share": partial(feed.share, stream)}
    made = ClassifyStage(config(**changes), probes)
    torch.manual_seed(0)
    made.build(
        Inputs(
            data=data or images(),
            device=CPU,
            steps=steps,
            batch_size=batch_size,
            seed=0,
            parts=parts,
            checkpoint=checkpoint,
            **looks,
        )
    )
    return made


def train(made: ClassifyStage, steps: int, start: int = 0) -> list[dict[str, Any]]:
    """Takes steps as the loop does; returns what each gives to log."""
    update, found = Updater(CPU, "fp32", 1, None), []
    for step in range(start, start + steps):
        for group in made.optimizer.param_groups:
            group["lr"] = made.rates(step)["optimizer"]
        found.append(made.step(made.batch(made.sample(step)), update, step))
    return found


def evaluate(made: ClassifyStage, split: str = "test") -> dict[str, float]:
    return {name: float(value) for name, value in made.evaluate(split, lambda: None).items()}
