"""Spells names letter by letter with a recurrent network that starts from an image's features."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from datasets.types import Shuffle
from runner.api import Inputs, Method, Metrics, Stage, TrainStage, Update

from .config import CaptionerConfig

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
LETTERS = "." + "".join(sorted(set("".join(NAMES))))
LONGEST = max(map(len, NAMES)) + 1


def spell(labels: Tensor) -> Tensor:
    """Letters int64 `[B, LONGEST]` of the labels' names; 0 (a full stop) ends and fills."""
    table = torch.tensor([[LETTERS.index(c) for c in name.ljust(LONGEST, ".")] for name in NAMES])
    return table[labels % len(NAMES)]


class Captions(NamedTuple):
    """Features `[B, F]` and letters `[B, LONGEST]`."""

    features: Tensor
    letters: Tensor


class Speller(nn.Module):
    """A recurrent network over letters."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.start = nn.Linear(features, width)
        self.letters = nn.Embedding(len(LETTERS), width)
        self.cell = nn.GRU(width, width, batch_first=True)
        self.out = nn.Linear(width, len(LETTERS))

    def forward(self, features: Tensor, before: Tensor) -> Tensor:
        """Logits `[B, L, letters]` of each letter, given the letters `before` it `[B, L]`."""
        state = self.start(features).tanh()[None]
        logits: Tensor = self.out(self.cell(self.letters(before), state.float())[0])
        return logits

    def greedy(self, features: Tensor) -> Tensor:
        """The likeliest letters `[B, LONGEST]`, one after another."""
        letters = torch.zeros(len(features), 1, dtype=torch.int64, device=features.device)
        for _ in range(LONGEST):
            letters = torch.cat([letters, self(features, letters)[:, -1:].argmax(2)], 1)
        return letters[:, 1:]


class CaptionerMethod(Method):
    """One stage, which needs features."""

    def stages(self) -> list[Stage]:
        return [Captioning(self.config)]


class Captioning(TrainStage):
    """Maximises the likelihood of the names."""

    name = "captioning"
    monitor = "validation/nats_per_letter"

    def __init__(self, config: CaptionerConfig) -> None:
        self.config = config
        self.needs = {"region_features": config.features}

    def build(self, inputs: Inputs) -> None:
        self.inputs, self.data = inputs, inputs.data
        self.folder = inputs.artifacts["region_features"].path
        self.features = self.of("train")
        self.speller = Speller(self.features.shape[1], self.config.width).to(inputs.device)
        self.optimizer = torch.optim.Adam(self.speller.parameters(), lr=self.config.lr)
        self.tracked: dict[str, Any] = {"speller": self.speller, "optimizer": self.optimizer}
        self.order = Shuffle(len(self.data.train), inputs.batch_size, inputs.seed)

    def of(self, split: str) -> np.ndarray:
        """Features of a split, mapped into memory."""
        return np.load(self.folder / f"{split}.npy", mmap_mode="r")

    def sample(self, step: int) -> Tensor:
        return self.order(step)

    def batch(self, index: Tensor) -> Captions:
        letters = spell(self.data.train.batch(index).labels)
        return Captions(torch.from_numpy(self.features[index.numpy()]), letters)

    def step(self, batch: Captions, update: Update, step: int) -> Metrics:
        self.speller.train()
        return update.minimise(self.optimizer, self.loss, batch)

    def loss(self, batch: Captions) -> tuple[Tensor, Metrics]:
        """Mean nats per letter, with the true letters before each."""
        before = torch.nn.functional.pad(batch.letters[:, :-1], (1, 0))
        logits = self.speller(batch.features, before)
        return cross_entropy(logits.flatten(0, 1).float(), batch.letters.flatten()), {}

    @torch.no_grad()
    def evaluate(self, split: str, tick: Callable[[], None]) -> Metrics:
        self.speller.eval()
        part, features, start = getattr(self.data, split), self.of(split), 0
        nats = right = 0.0
        for batch in self.inputs.batches(part, self.inputs.batch_size):
            tick()
            stop = start + len(batch.labels)
            captions = Captions(
                torch.from_numpy(features[start:stop].copy()).to(self.inputs.device),
                spell(batch.labels.cpu()).to(self.inputs.device),
            )
            start = stop
            nats += self.loss(captions)[0].item() * len(captions.letters)
            right += (self.speller.greedy(captions.features) == captions.letters).all(1).sum().item()
        return {f"{split}/nats_per_letter": nats / len(part), f"{split}/accuracy": right / len(part)}
