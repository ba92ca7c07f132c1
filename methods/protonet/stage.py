"""The stage that trains on episodes and says how well it does on episodes of classes it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext

import numpy as np
import torch
from torch import Tensor, nn

from datasets.types import ClassSplit, Episode, Episodes, EpisodeSampler
from methods.common.fewshot.conv4 import Conv4
from methods.common.fewshot.score import interval, name_of, right
from methods.common.norm.recalibrate import batch_moments
from methods.protonet.config import MatchingConfig, ProtoNetConfig
from methods.protonet.distance import Distance
from methods.protonet.figures import draw_confusion, draw_episode, draw_space
from methods.protonet.matching import Attention, FullContext
from methods.protonet.prototypes import Nearest, prototypes
from runner.api import Inputs, Metrics, Picture, TrainStage, Update

LOOK = 512
"""Images at a time where a whole part is embedded."""

SHOWN = 12
"""Classes in the picture of the space."""


class FewShotStage(TrainStage):
    """Minimises the mean negative log-probability of the query images' classes by Adam (algorithm 1)."""

    name = "fewshot"  # of every method of few-shot learning, so that all see the same episodes
    monitor = "validation/loss"

    def __init__(self, config: ProtoNetConfig) -> None:
        self.config = config

    def items(self, data: Episodes) -> int:
        return self.config.epoch

    def build(self, inputs: Inputs) -> None:
        self.inputs, self.data, c = inputs, inputs.data, self.config
        self.sampler = self._sampler("train", c.way, c.shot, c.query, c.epoch)
        for way in c.test_ways:
            for shot in c.test_shots:
                self._sampler("test", way, shot, c.test_query, c.episodes)
        self._sampler("validation", *self._main, c.test_query, c.validation_episodes)
        self.encoder = Conv4(self.data.shape, c.filters, c.blocks).to(inputs.device)
        self.head = head(c, self.encoder.width).to(inputs.device)
        parameters = [*self.encoder.parameters(), *self.head.parameters()]
        self.optimizer = torch.optim.Adam(parameters, c.lr, weight_decay=c.weight_decay, fused=True)
        self.tracked = {"encoder": self.encoder, "head": self.head, "optimizer": self.optimizer}

    @property
    def _main(self) -> tuple[int, int]:
        """Way and shot of validation."""
        return self.config.test_ways[0], self.config.test_shots[0]

    def _sampler(
        self, part: str, way: int, shot: int | Sequence[int], query: int, count: int
    ) -> EpisodeSampler:
        """Raises ValueError, naming the part, where it has too few classes or images."""
        seeds = {"train": 0, "validation": 1, "test": 2}
        split: ClassSplit = getattr(self.data, part)
        try:
            return EpisodeSampler(split, way, shot, query, 3 * self.inputs.seed + seeds[part], count)
        except ValueError as error:
            raise ValueError(f"{part} part of {self.data.name}: {error}") from None

    def rates(self, step: int) -> dict[str, float]:
        c = self.config
        halvings = 0 if c.halve_every is None else step * self.inputs.batch_size // c.halve_every
        return {"optimizer": c.lr * 0.5**halvings}

    def sample(self, step: int) -> Tensor:
        count = self.inputs.batch_size
        return torch.arange(step * count, (step + 1) * count)

    def batch(self, index: Tensor) -> Episode:
        return self.sampler.batch(index)

    def step(self, batch: Episode, update: Update, step: int) -> Metrics:
        self.encoder.train()
        return update.minimise(self.optimizer, self.loss, batch)

    def loss(self, batch: Episode) -> tuple[Tensor, Metrics]:
        """Mean negative log-probability in nats, and the share of right answers."""
        scores = self.scores(batch)
        loss = -scores.gather(-1, batch.query_labels.unsqueeze(-1)).mean()
        return loss, {"accuracy": right(scores.detach(), batch.query_labels).mean().float()}

    def scores(self, batch: Episode) -> Tensor:
        """Log-probabilities `[M, Q, way]`; support and query go through the encoder together."""
        many, shots = batch.support.shape[:2]
        images = torch.cat((batch.support, batch.query), 1)
        z = self.embed(images.flatten(0, 1)).unflatten(0, (many, -1)).float()
        found: Tensor = self.head(z[:, :shots], batch.support_labels, z[:, shots:], batch.classes.shape[1])
        return found

    def embed(self, images: Tensor) -> Tensor:
        """Grey levels `[B, C, H, W]` to embeddings `[B, D]`."""
        found: Tensor = self.encoder(images.float() / (self.data.levels - 1))
        return found

    @torch.no_grad()
    def evaluate(self, split: str, tick: Callable[[], None]) -> Metrics:
        c = self.config
        sizes = [(way, shot) for way in c.test_ways for shot in c.test_shots]
        count = c.episodes
        if split == "validation":
            sizes, count = [self._main], c.validation_episodes
        self.encoder.eval()
        known = None if c.transductive else self.embedded(getattr(self.data, split), tick)
        found: dict[str, float] = {}
        for way, shot in sizes:
            sampler = self._sampler(split, way, shot, c.test_query, count)
            accuracies, losses = self._answers(sampler, known, tick)
            mean, low, high = interval(accuracies)
            name = "" if (way, shot) == self._main else f"_{name_of(way, shot)}"
            found |= {f"accuracy{name}": mean, f"accuracy{name}_low": low, f"accuracy{name}_high": high}
            if not name:
                found |= {"loss": losses.mean().item(), "error": 1 - mean}
        return {f"{split}/{name}": value for name, value in found.items()}

    def embedded(self, part: ClassSplit, tick: Callable[[], None]) -> Tensor:
        """All images of a part, embedded once: without batch moments an embedding is the same in each
        episode."""
        found = []
        for images in part.images.split(LOOK):
            tick()
            found.append(self.embed(images.to(self.inputs.device)).float())
        return torch.cat(found)

    def _answers(
        self, sampler: EpisodeSampler, known: Tensor | None, tick: Callable[[], None]
    ) -> tuple[Tensor, Tensor]:
        """Accuracy and mean loss of each episode, float64 `[N]`."""
        accuracies, losses = [], []
        with batch_moments(self.encoder) if known is None else nullcontext():
            for episode, scores in self._scored(sampler, known):
                tick()
                labels = episode.query_labels.to(scores.device)
                accuracies.append(right(scores, labels).cpu())
                losses.append(-scores.gather(-1, labels.unsqueeze(-1)).squeeze(-1).double().mean(-1).cpu())
        return torch.cat(accuracies), torch.cat(losses)

    def _scored(self, sampler: EpisodeSampler, known: Tensor | None) -> Iterator[tuple[Episode, Tensor]]:
        """Each episode, with places of images, and its log-probabilities `[1, Q, way]`."""
        for number in range(len(sampler)):
            index = torch.tensor([number])
            if known is None:
                episode = sampler.batch(index)
                yield episode, self.scores(Episode(*(one.to(self.inputs.device) for one in episode)))
            else:
                episode = sampler.places(index)
                support, query = (known[place.to(known.device)] for place in (episode.support, episode.query))
                labels = episode.support_labels.to(known.device)
                yield episode, self.head(support, labels, query, sampler.way)

    @torch.no_grad()
    def figures(self) -> dict[str, Picture]:
        """An episode of the test part, its embeddings, and confusion of groups over the test episodes."""
        self.encoder.eval()
        way, shot = self._main
        sampler = self._sampler("test", way, shot, self.config.test_query, self.config.episodes)
        known = self.embedded(self.data.test, lambda: None)
        return {
            "episode": self._episode(sampler, known),
            "space": self._space(known),
            "confusion": self._confusion(sampler, known),
        }

    def _episode(self, sampler: EpisodeSampler, known: Tensor) -> Picture:
        places = sampler.places(torch.tensor([0]))
        way, first = sampler.way, places.query[0].view(sampler.way, -1)[:, 0]
        images = self.data.test.images.float() / (self.data.levels - 1)
        c = prototypes(known[places.support.to(known.device)], places.support_labels.to(known.device), way)
        distances = self.distance(known[first.to(known.device)], c[0]).cpu()
        support = images[places.support[0]].unflatten(0, (way, -1))
        return draw_episode(support, images[first], distances, torch.arange(way))

    @property
    def distance(self) -> nn.Module:
        """What embeddings are compared by."""
        found = next(module for module in self.head.modules() if isinstance(module, Distance))
        return found

    def _space(self, known: Tensor) -> Picture:
        part: ClassSplit = self.data.test
        chosen = np.random.default_rng(0).choice(len(part), min(SHOWN, len(part)), replace=False)
        rows = [np.arange(part.first[k], part.first[k] + part.counts[k]) for k in chosen]
        labels = torch.from_numpy(np.repeat(np.arange(len(chosen)), [len(row) for row in rows]))
        z = known[torch.from_numpy(np.concatenate(rows)).to(known.device)].cpu()
        centres = torch.stack([z[labels == k].mean(0) for k in range(len(chosen))])
        return draw_space(z, labels, centres, [part.names[k] for k in chosen])

    def _confusion(self, sampler: EpisodeSampler, known: Tensor) -> Picture:
        part: ClassSplit = self.data.test
        groups = sorted(set(part.groups))
        of_class = torch.tensor([groups.index(group) for group in part.groups])
        counts = torch.zeros(len(groups), len(groups))
        for episode, scores in self._scored(sampler, known):
            own = of_class[episode.classes[0]]
            answers = scores[0].argmax(-1).cpu()
            wrong = answers != episode.query_labels[0]
            asked = own[episode.query_labels[0][wrong]], own[answers[wrong]]
            counts.index_put_(asked, torch.ones(int(wrong.sum())), accumulate=True)
        return draw_confusion(counts.numpy(), groups)


def head(config: ProtoNetConfig, width: int) -> nn.Module:
    """What classifies embeddings of `width` numbers."""
    distance = Distance(config.distance, width, config.scale, config.learn_scale)
    if not isinstance(config, MatchingConfig):
        return Nearest(distance)
    attention = Attention(distance)
    return FullContext(attention, width, config.reads) if config.full_context else attention
