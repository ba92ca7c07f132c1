"""Seconds of a step of InfoGAN against the plain formulation, and what Q costs.

    python -m benchmarks.infogan [--repeats 9] [--width 1.0] [--batch 128] [--threads 1] [--compile]

The paper's networks for MNIST on random images of 28x28 pixels. The plain formulation is
`tests/methods/infogan/plain.py`, torch's Adam as it comes: what `Game` must equal, which a test holds. Both
take turns; printed are our milliseconds and the median of their time over ours, with new noise in the
generator's step, as the preset and the plain formulation have it, and with the discriminator's (aim: 1.5);
then the time of a step with Q over one of the game without (claim I7; aim: at most 1.1). The exit code is 1
where an aim is missed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from methods.infogan.checks import Steps, q_cost
from methods.infogan.config import InfoGANConfig
from methods.infogan.game import Game
from runner import device
from runner.api import Inputs
from runner.compose import Composer
from tests.methods.infogan.data import images
from tests.methods.infogan.plain import Plain

AIM, COST = 1.5, 1.1


def config(width: float) -> InfoGANConfig:
    """The preset of MNIST at a width."""
    found = Composer(["method=infogan", "dataset=mnist"]).compose().method_config
    assert isinstance(found, InfoGANConfig)
    return replace(found, width=width, judge_steps=0)


def built(settings: InfoGANConfig, batch: int) -> Game:
    game = Game(settings)
    torch.manual_seed(0)
    data = images((1, 28, 28), train=max(64, batch))
    game.build(Inputs(data, torch.device("cpu"), steps=1, batch_size=batch, seed=0))
    return game


def compare(settings: InfoGANConfig, count: int, repeats: int, compiled: bool) -> float:
    """Prints our time and the ratio; returns it."""
    game, plain = built(settings, count), Plain(built(settings, count))
    if compiled:
        for module in (game.generator, game.discriminator, game.guess):
            module.compile()
    batch, update = game.batch(torch.arange(count)), Steps()
    ours, theirs = (lambda: game.step(batch, update, 0)), (lambda: plain.step(batch))
    rounds = [turn(ours, theirs, number) for number in range(repeats + 2)][2:]
    seconds, ratio = statistics.median(a for a, _ in rounds), statistics.median(b / a for a, b in rounds)
    drawn = "fresh" if settings.fresh else "shared"
    print(f"a step of {count}, fakes {drawn:6}  {1000 * seconds:8.1f} ms  {ratio:.2f} times as fast as plain")
    return ratio


def turn(ours: Callable[[], Any], theirs: Callable[[], Any], number: int) -> tuple[float, float]:
    """Seconds of both, which go first in turns."""
    order = (ours, theirs) if number % 2 else (theirs, ours)
    took = []
    for do in order:
        began = time.perf_counter()
        do()
        took.append(time.perf_counter() - began)
    return (took[0], took[1]) if number % 2 else (took[1], took[0])


def cost(settings: InfoGANConfig, count: int) -> float:
    """Prints what Q costs; returns the ratio of times."""
    game = built(settings, count)
    found = q_cost(settings, game.inputs)
    time_ratio, size = (float(found[f"check/{name}"]) for name in ("time_over_plain", "parameters_ratio"))
    print(f"with Q over without: {time_ratio:.3f} times the time, {size:.4f} times the parameters")
    return time_ratio


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--compile", action="store_true")
    given = parser.parse_args()
    device.set_threads(given.threads)
    settings = config(given.width)
    ratios = [
        compare(replace(settings, fresh=fresh), given.batch, given.repeats, given.compile)
        for fresh in (True, False)
    ]
    return int(ratios[-1] < AIM or cost(settings, given.batch) > COST)


if __name__ == "__main__":
    sys.exit(main())
