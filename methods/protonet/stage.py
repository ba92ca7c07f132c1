"""The stage that trains on episodes and says how well it does on episodes of classes it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from datasets.types import ClassSplit, Episode, Episodes, EpisodeSampler
from methods.common.fewshot.score import right
from methods.common.norm.recalibrate import batch_moments
from methods.protonet.attributes import Described
from methods.protonet.baselines import compared_by
from methods.protonet.config import FewShotConfig, MatchingConfig, ProtoNetConfig
from methods.protonet.distance import Distance
from methods.protonet.encoder import encoder
from methods.protonet.episodes import Sizes
from methods.protonet.matching import Attention, FullContext
from methods.protonet.pictures import pictures
from methods.protonet.prototypes import Nearest
from runner.api import Inputs, Metrics, Picture, Projection, TrainStage, Update, Work

LOOK = 512
"""Images at a time where a whole part is embedded."""


class FewShotStage(TrainStage):
    """Minimises the mean negative log-probability of the query images' classes by Adam (algorithm 1)."""

    name = "fewshot"  # of every method of few-shot learning, so that all see the same episodes
    monitor = "validation/loss"

    def __init__(self, config: FewShotConfig) -> None:
        self.config = config

    def items(self, data: Episodes) -> int:
        return self.config.epoch

    def build(self, inputs: Inputs) -> None:
        self.inputs, self.data, c = inputs, inputs.data, self.config
        self.sizes = Sizes(c, self.data, inputs.seed)
        self.sizes.check()
        self.sampler = self.sizes.sampler("train", c.way, c.shot, c.query, c.epoch)
        made = encoder(c, self.data.shape).to(inputs.device)
        self.encoder = made.to(memory_format=torch.channels_last)
        self.head = head(c, self.encoder.width, self.data.train.attributes).to(inputs.device)
        parameters = [*self.encoder.parameters(), *self.head.parameters()]
        self.optimizer = torch.optim.Adam(parameters, c.lr, weight_decay=c.weight_decay, fused=True)
        self.tracked = {"encoder": self.encoder, "head": self.head, "optimizer": self.optimizer}

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
        return self.compared(batch, z[:, :shots], z[:, shots:], self.data.train)

    def compared(self, episode: Episode, support: Tensor, query: Tensor, part: ClassSplit) -> Tensor:
        """Log-probabilities `[M, Q, way]` of embeddings, whose classes are known by the support, or by their
        attributes."""
        if self.config.zero_shot:
            assert part.attributes is not None
            support = part.attributes.to(query.device)[episode.classes.to(query.device)]
        labels = episode.support_labels.to(query.device)
        with torch.autocast(query.device.type, enabled=False):  # differences of squares need all their digits
            found: Tensor = self.head(support, labels, query, episode.classes.shape[1])
        return found

    def embed(self, images: Tensor) -> Tensor:
        """Grey levels `[B, C, H, W]`, or vectors `[B, D]`, to embeddings `[B, width]`."""
        levels = self.data.levels
        found: Tensor = self.encoder(images if levels is None else images.float() / (levels - 1))
        return found

    @torch.no_grad()
    def evaluate(self, split: str, tick: Callable[[], None]) -> Metrics:
        self.encoder.eval()
        part: ClassSplit = getattr(self.data, split)
        known = None if self.config.transductive else self.embedded(part, tick)
        return self.sizes.summed(split, lambda sampler: self._answers(sampler, known, tick))

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
            for episode, scores in self.scored(sampler, known):
                tick()
                labels = episode.query_labels.to(scores.device)
                accuracies.append(right(scores, labels).cpu())
                losses.append(-scores.gather(-1, labels.unsqueeze(-1)).squeeze(-1).double().mean(-1).cpu())
        return torch.cat(accuracies), torch.cat(losses)

    def scored(self, sampler: EpisodeSampler, known: Tensor | None) -> Iterator[tuple[Episode, Tensor]]:
        """Each episode, with places of images, and its log-probabilities `[1, Q, way]`."""
        for number in range(len(sampler)):
            index = torch.tensor([number])
            if known is None:
                episode = sampler.batch(index)
                yield episode, self.scores(Episode(*(one.to(self.inputs.device) for one in episode)))
            else:
                episode = sampler.places(index)
                support, query = (known[place.to(known.device)] for place in (episode.support, episode.query))
                yield episode, self.compared(episode, support, query, sampler.split)

    @torch.no_grad()
    def figures(self) -> dict[str, Picture | Projection]:
        self.encoder.eval()
        return pictures(self, self.embedded(self.data.test, lambda: None))

    @torch.no_grad()
    def perform(self, task: str, work: Work, inputs: Inputs) -> Metrics:
        """`baselines`: other ways of deciding, with the same embeddings and the same episodes."""
        if task != "baselines":
            return super().perform(task, work, inputs)
        if self.config.zero_shot:
            raise ValueError("task=baselines compares support images, and method.shot=0 has none")
        self.encoder.eval()
        return compared_by(self.sizes, self.embedded(self.data.test, lambda: None), self.distance)

    @property
    def distance(self) -> nn.Module:
        """What embeddings are compared by."""
        found = next(module for module in self.head.modules() if isinstance(module, Distance))
        return found


def head(config: FewShotConfig, width: int, attributes: Tensor | None) -> nn.Module:
    """What classifies embeddings of `width` numbers; attributes `[K, A]` may describe classes."""
    distance = Distance(config.distance, width, config.scale, config.learn_scale)
    if isinstance(config, MatchingConfig):
        attention = Attention(distance)
        return FullContext(attention, width, config.reads) if config.full_context else attention
    if config.zero_shot and isinstance(config, ProtoNetConfig):
        assert attributes is not None
        return Described(distance, attributes.shape[1], width, config.unit_prototypes)
    return Nearest(distance)
