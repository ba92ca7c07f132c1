"""Regression tasks of few-shot learning: functions that are to be learned from a few points."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from datasets.types.episodes import Episode

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


class Functions(ABC):
    """A part of a data set as functions, of which any number can be drawn; `len` is how many there are.

    Attributes:
        inputs, outputs: numbers in an argument and in a value.
    """

    inputs: int
    outputs: int

    @abstractmethod
    def __len__(self) -> int:
        """Number of functions that are drawn from; they are numbered from 0."""

    @abstractmethod
    def draw(self, number: int, points: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Arguments `[points, inputs]` and values `[points, outputs]` of a function, float64."""


@dataclass(frozen=True)
class Regressions:
    """Regression tasks in three parts.

    Attributes:
        name: the data set's name.
        checksum: identifies the functions (hexadecimal).
        train, validation, test: the parts.
    """

    kind: ClassVar[str] = "tasks"

    name: str
    checksum: str
    train: Functions
    validation: Functions
    test: Functions
    in_memory: bool = True


class RegressionSampler:
    """Tasks by number: task i is a function of the seed and i alone.

    Arguments:
        part: the functions.
        shot: points to learn from.
        query: points to be asked about.
        seed: of the whole stream.
        episodes: how many there are, for `len`.
    """

    def __init__(self, part: Functions, shot: int, query: int, seed: int, episodes: int) -> None:
        self.part, self.shot, self.query = part, shot, query
        self.seed, self.episodes = seed, episodes

    def __len__(self) -> int:
        return self.episodes

    def batch(self, indices: Tensor) -> Episode:
        """The tasks with the numbers `indices` (int64 `[M]`): arguments float32 `[M, S, inputs]` and `[M, Q,
        inputs]`, with values in the place of labels, and the numbers of the functions as classes `[M, 1]`."""
        import numpy as np
        import torch

        drawn = []
        for i in indices.tolist():
            random = np.random.default_rng((self.seed, i))
            number = int(random.integers(len(self.part)))
            drawn.append((number, *self.part.draw(number, self.shot + self.query, random)))
        x, y = (torch.from_numpy(np.stack([one[k] for one in drawn])).float() for k in (1, 2))
        numbers = torch.tensor([[one[0]] for one in drawn])
        return Episode(x[:, : self.shot], y[:, : self.shot], x[:, self.shot :], y[:, self.shot :], numbers)
