"""The episodes that a method is trained, validated and tested on, and what its answers to them come to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from datasets.types import Episodes, EpisodeSampler
from methods.common.fewshot.score import interval, name_of
from methods.protonet.config import SizesConfig
from runner.api import Metrics

PARTS = {"train": 0, "validation": 1, "test": 2}
TESTED = ("method.test_ways", "method.test_shots", "method.test_query")
"""What sizes of episodes that are tested on are called."""

Answers = Callable[[EpisodeSampler], tuple[Tensor, Tensor]]
"""Accuracy and mean loss of each episode, float64 `[N]`."""


@dataclass(frozen=True)
class Sizes:
    """Episodes of all sizes that are asked for; the same ones for every method, by the seed alone.

    Attributes:
        config: ways and shots, and how many episodes of each.
        data: what they are drawn from.
        seed: of the stage.
    """

    config: SizesConfig
    data: Episodes
    seed: int

    def sampler(
        self,
        part: str,
        way: int,
        shot: int | Sequence[int],
        query: int,
        count: int,
        keys: tuple[str, str, str] = ("method.way", "method.shot", "method.query"),
    ) -> EpisodeSampler:
        """Raises ValueError, naming the part and the `keys` of sizes, where it has too few classes or
        images."""
        try:
            seed = 3 * self.seed + PARTS[part]
            return EpisodeSampler(getattr(self.data, part), way, shot, query, seed, count, keys)
        except ValueError as error:
            raise ValueError(f"{part} part of {self.data.name}: {error}") from None

    @property
    def main(self) -> tuple[int, int]:
        """Way and shot of validation, whose test metrics have plain names."""
        return self.config.test_ways[0], self.config.test_shots[0]

    def samplers(self, split: str) -> Iterator[tuple[str, EpisodeSampler]]:
        """Sizes and their episodes: one size for validation, all for testing."""
        c = self.config
        if split == "validation":
            way, shot = self.main
            count = c.validation_episodes
            yield name_of(way, shot), self.sampler(split, way, shot, c.test_query, count, TESTED)
            return
        for way in c.test_ways:
            for shot in c.test_shots:
                yield name_of(way, shot), self.sampler(split, way, shot, c.test_query, c.episodes, TESTED)

    def check(self) -> None:
        """Raises ValueError where a size cannot be had."""
        for split in ("validation", "test"):
            list(self.samplers(split))

    def summed(self, split: str, answers: Answers) -> Metrics:
        """`<split>/accuracy_<size>` of all sizes, with the ends of 95 % intervals; for the main size
        `accuracy`, `error` and `loss`, too."""
        found: dict[str, float] = {}
        for size, sampler in self.samplers(split):
            accuracies, losses = answers(sampler)
            mean, low, high = interval(accuracies)
            main = size == name_of(*self.main)
            for name in ("accuracy", f"accuracy_{size}") if main else (f"accuracy_{size}",):
                found |= {name: mean, f"{name}_low": low, f"{name}_high": high}
            if main:
                found |= {"loss": losses.mean().item(), "error": 1 - mean}
        return {f"{split}/{name}": value for name, value in found.items()}
