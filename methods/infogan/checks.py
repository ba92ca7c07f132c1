"""What the paper says holds exactly, on channels whose information is known; and what Q costs.

Each check is `task=check/NAME`; the claims in `conf/claim/infogan/` name them.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from datasets.types import ImageBatch
from methods.common.cost import seconds
from methods.infogan.codes import CodeSpec
from methods.infogan.config import InfoGANConfig
from methods.infogan.game import Game
from runner.api import Inputs, Metrics

VALUES, ERROR, NOISE = 10, 0.2, 0.5
DRAWN = 200_000
"""Pairs; what one half says of the symmetric channel's bound has a standard error of 0.0045 nats."""

LEARNED = 300
"""Steps by which Q learns, at a rate that falls to 0."""

ROUNDS = 5


def channels(config: InfoGANConfig, inputs: Inputs) -> Metrics:
    """The bound before and after Q has learned, less the true information: of a symmetric channel with ten
    values, and of a Gaussian one (lemma 5.1 and equation 4)."""
    codes = CodeSpec((VALUES,), 0).draw(DRAWN)
    c = codes.argmax(1)
    wrong = torch.rand(DRAWN) < ERROR
    x = torch.where(wrong, (c + torch.randint(1, VALUES, (DRAWN,))) % VALUES, c)
    symmetric = math.log(VALUES) - _entropy(ERROR) - ERROR * math.log(VALUES - 1)
    discrete = _learned(
        CodeSpec((VALUES,), 0), nn.functional.one_hot(x, VALUES).float(), codes, nn.Linear(VALUES, VALUES)
    )
    spec = CodeSpec((), 0, 1)
    codes = spec.draw(DRAWN)
    x = codes + NOISE * torch.randn(DRAWN, 1)
    gaussian = _learned(spec, x, codes, nn.Linear(1, 2))
    truth = 0.5 * math.log(1 + NOISE**-2)
    return {
        "check/discrete_before": discrete[0] - symmetric,
        "check/discrete_after": discrete[1] - symmetric,
        "check/gaussian_before": gaussian[0] - truth,
        "check/gaussian_after": gaussian[1] - truth,
    }


def _entropy(e: float) -> float:
    return -e * math.log(e) - (1 - e) * math.log(1 - e)


def _learned(spec: CodeSpec, x: Tensor, codes: Tensor, q: nn.Module) -> tuple[float, float]:
    """The bound of an untrained Q and of one trained on one half of the pairs, on the other half."""
    half = len(x) // 2
    optimizer = torch.optim.Adam(q.parameters(), 0.1)
    falling = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, LEARNED)

    @torch.no_grad()
    def worth() -> float:
        return float(spec.information(q(x[half:]), codes[half:]).sum())

    before = worth()
    for _ in range(LEARNED):
        optimizer.zero_grad()
        (-spec.information(q(x[:half]), codes[:half]).sum()).backward()
        optimizer.step()
        falling.step()
    return before, worth()


def symmetric(config: InfoGANConfig, inputs: Inputs) -> Metrics:
    """I(X; Y) = H(X) - H(X|Y) = H(Y) - H(Y|X) on random tables (section 4): the largest difference, nats."""
    worst = 0.0
    for _ in range(100):
        p = torch.rand(7, 5, dtype=torch.float64)
        p /= p.sum()
        rows, columns = p.sum(1, keepdim=True), p.sum(0, keepdim=True)
        one = -torch.xlogy(rows, rows).sum() + torch.xlogy(p, p / columns).sum()
        other = -torch.xlogy(columns, columns).sum() + torch.xlogy(p, p / rows).sum()
        worst = max(worst, float((one - other).abs()))
    return {"check/asymmetry": worst}


def entropy(config: InfoGANConfig, inputs: Inputs) -> Metrics:
    """H(c) estimated from what is drawn, less what is added to the bound, for each kind of code, in nats."""
    spec = CodeSpec((VALUES,), 1, 1)
    drawn = spec.draw(400_000)
    shares = drawn[:, :VALUES].mean(0)
    found = {"categorical": -torch.xlogy(shares, shares).sum()}
    for code in spec.continuous:
        found[code.kind] = _spaced(drawn[:, code.at])
    return {f"check/{code.kind}_entropy_error": found[code.kind] - code.entropy for code in spec.codes}


def _spaced(values: Tensor, m: int = 200) -> Tensor:
    """Entropy in nats by the spacings of the sorted sample (Vasicek, 1976)."""
    ordered = values.double().sort().values
    n = len(ordered)
    return (
        ((ordered[m:] - ordered[:-m]) * (n + 1) / m).log().mean()
        + math.log(m)
        - torch.digamma(torch.tensor(float(m)))
    )


def q_cost(config: InfoGANConfig, inputs: Inputs) -> Metrics:
    """Seconds of a step with Q and its reward over those of the plain game, where nobody asks for the codes;
    and parameters with Q's over those of the discriminator alone (section 5)."""
    game = Game(replace(config, judge_steps=0))
    game.build(inputs)
    batch = ImageBatch(*(part.to(inputs.device) for part in game.batch(torch.arange(inputs.batch_size))))
    plain = _Plain(game.config)
    plain.build(inputs)
    update = Steps()
    ratios = []
    for _ in range(ROUNDS):
        took = [seconds(partial(one.step, batch, update, 0), 3) for one in (game, plain)]
        ratios.append(took[0] / took[1])
    own, shared = (sum(p.numel() for p in module.parameters()) for module in (game.guess, game.discriminator))
    return {"check/time_over_plain": median(ratios), "check/parameters_ratio": 1 + own / shared}


class _Plain(Game):
    """The game without Q."""

    def d_loss(self, batch: ImageBatch) -> tuple[Tensor, Metrics]:
        with torch.no_grad():
            fakes, _ = self.make(len(batch.images))
        real, fake, _ = self.discriminator.both(self.levels(batch.images), fakes)
        return softplus(-real).mean() + softplus(fake).mean(), {}

    def g_loss(self, batch: ImageBatch) -> tuple[Tensor, Metrics]:
        fakes, _ = self.make(len(batch.images))
        return softplus(-self.discriminator(fakes)[0]).mean(), {}


class Steps:
    """Steps of optimisers, without anything else."""

    def minimise(self, optimizer: Any, loss: Any, batch: Any, clip: float | None = None) -> Metrics:
        value, metrics = loss(batch)
        parameters = [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad]
        value.backward(inputs=parameters)
        optimizer.step()
        optimizer.zero_grad()
        return {**metrics, "loss": value.detach()}

    def apply(self, optimizer: Any, gradients: Any, clip: float | None = None) -> Metrics:
        raise NotImplementedError
