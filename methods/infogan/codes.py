"""Codes: where each lies in the generator's input and in Q's output, how it is drawn, and what a guess at it
is worth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

LOG_SD = (-5.0, 2.0)
"""Bounds of a guess's log-deviation: without them the bound has no ceiling where x tells c exactly."""

Kind = Literal["categorical", "uniform", "gaussian"]
CONTINUOUS: tuple[Kind, Kind] = ("uniform", "gaussian")
CONTINUOUS_ENTROPY = {"uniform": math.log(2), "gaussian": 0.5 * math.log(2 * math.pi * math.e)}


@dataclass(frozen=True)
class Code:
    """One code.

    Attributes:
        name: `c1`, `c2`, ... in the order of the generator's input.
        kind: its distribution.
        values: of a categorical code; 1 for a continuous one.
        at: where it begins in the generator's input, counted from the first code.
        guess_at: where its guess begins in Q's output: logits `[values]`, or mean and log-deviation.
    """

    name: str
    kind: Kind
    values: int
    at: int
    guess_at: int

    @property
    def entropy(self) -> float:
        """H(c) in nats."""
        return math.log(self.values) if self.kind == "categorical" else CONTINUOUS_ENTROPY[self.kind]

    @property
    def slice(self) -> slice:
        """Its columns in the codes; a categorical one is one-hot."""
        return slice(self.at, self.at + self.values)


class CodeSpec:
    """All codes of a run, in this order: categorical, uniform, Gaussian.

    Arguments:
        categorical: number of values of each categorical code.
        uniform, gaussian: how many continuous codes of either kind.
        q_sd: whether the deviation of a guess at a continuous code is `learned` or `fixed` at 1, as the
            authors' code has it for MNIST.
    """

    def __init__(
        self,
        categorical: tuple[int, ...],
        uniform: int,
        gaussian: int = 0,
        q_sd: Literal["fixed", "learned"] = "learned",
    ) -> None:
        kinds: list[tuple[Kind, int]] = [("categorical", k) for k in categorical]
        for kind, many in zip(CONTINUOUS, (uniform, gaussian), strict=True):
            kinds += [(kind, 1) for _ in range(many)]
        self.q_sd, self.codes = q_sd, list[Code]()
        at = guess_at = 0
        for number, (kind, values) in enumerate(kinds, 1):
            self.codes.append(Code(f"c{number}", kind, values, at, guess_at))
            at += values
            guess_at += values if kind == "categorical" else 2
        self.width, self.guess_width = at, guess_at

    @cached_property
    def categorical(self) -> list[Code]:
        """The categorical codes."""
        return [code for code in self.codes if code.kind == "categorical"]

    @cached_property
    def continuous(self) -> list[Code]:
        """The uniform and Gaussian codes."""
        return [code for code in self.codes if code.kind != "categorical"]

    def draw(self, count: int, device: torch.device | str = "cpu") -> Tensor:
        """Codes `[count, width]` from torch's default generator of `device`."""
        parts = []
        for code in self.codes:
            if code.kind == "categorical":
                values = torch.randint(code.values, (count,), device=device)
                parts.append(functional.one_hot(values, code.values).float())
            elif code.kind == "uniform":
                parts.append(torch.rand(count, 1, device=device) * 2 - 1)
            else:
                parts.append(torch.randn(count, 1, device=device))
        return torch.cat(parts, 1)

    def log_q(self, guess: Tensor, codes: Tensor) -> Tensor:
        """log Q(c|x) of each code in nats, `[B, codes]`, of guesses `[B, guess_width]`."""
        guess = guess.float()
        return torch.stack([self._log_q(code, guess, codes) for code in self.codes], 1)

    def _log_q(self, code: Code, guess: Tensor, codes: Tensor) -> Tensor:
        if code.kind == "categorical":
            logits = guess[:, code.guess_at : code.guess_at + code.values]
            return (logits.log_softmax(1) * codes[:, code.slice]).sum(1)
        log_sd = self.log_sd(guess, code)
        off = (codes[:, code.at] - guess[:, code.guess_at]) * torch.exp(-log_sd)
        return -0.5 * off.square() - log_sd - 0.5 * math.log(2 * math.pi)

    def log_sd(self, guess: Tensor, code: Code) -> Tensor:
        """Log-deviation `[B]` of the guess at a continuous code."""
        raw = guess[:, code.guess_at + 1]
        return torch.zeros_like(raw) if self.q_sd == "fixed" else raw.clamp(*LOG_SD)

    @cached_property
    def entropies(self) -> Tensor:
        """H(c) of each code in nats, `[codes]`."""
        return torch.tensor([code.entropy for code in self.codes])

    def information(self, guess: Tensor, codes: Tensor) -> Tensor:
        """Each code's variational bound on I(c; x) in nats, `[codes]`: E[log Q(c|x)] + H(c) (equation 5)."""
        return self.log_q(guess, codes).mean(0) + self.entropies.to(guess.device)

    def best(self, guess: Tensor, code: Code) -> Tensor:
        """Most probable value int64 `[B]` of a categorical code, or the mean `[B]` of a continuous one."""
        if code.kind == "categorical":
            return guess[:, code.guess_at : code.guess_at + code.values].argmax(1)
        return guess[:, code.guess_at]

    def grid(self, code: Code, points: int = 11, reach: float = 2.0) -> Tensor:
        """What a traversal of `code` puts in its columns: all values, or `points` on [-reach, reach];
        `[steps, values]`."""
        if code.kind == "categorical":
            return torch.eye(code.values)
        return torch.linspace(-reach, reach, points)[:, None]

    def traversal(self, code: Code, codes: Tensor, grid: Tensor) -> Tensor:
        """Codes `[rows * steps, width]`: each row of `codes` `[rows, width]` with `grid` in the place of
        `code`."""
        found = codes.repeat_interleave(len(grid), 0)
        found[:, code.slice] = grid.to(codes.device).repeat(len(codes), 1)
        return found
