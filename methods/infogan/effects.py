"""How much one number of the generator's input changes a sample."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from methods.infogan.seeded import seeded
from runner.api import Metrics

if TYPE_CHECKING:
    from methods.infogan.game import Game

LEAST = 1e-12
"""What a ratio divides by at least, where nothing changes."""

ROWS = 128
"""Samples that are changed."""

TRIED = 16
"""Numbers of noise that are tried at the most."""


def effects(game: Game, split: str, tick: Callable[[], None]) -> Metrics:
    """Mean absolute change of a pixel, in levels of [0, 1], between two samples whose inputs differ in one
    place: the two ends of the trained range [-1, 1] of a continuous code or a number of noise (of normal
    ones, one deviation to either side), two values of a categorical code, of which the mean over neighbours
    is taken. Of noise, the mean and the greatest over its numbers; the first code's over that mean; and that
    mean over the change between two samples that share nothing."""
    with seeded():
        codes, noise = game.codes.draw(ROWS), game.noise(ROWS, "cpu")
    found: Metrics = {}
    for code in game.codes.codes:
        tick()
        ends = game.codes.grid(code, points=2, reach=1.0)
        along = (torch.cat((noise, game.codes.traversal(code, codes, end[None])), 1) for end in ends)
        found[f"{split}/effect_{code.name}"] = _change(game, along)
    inputs, each = torch.cat((noise, codes), 1), []
    for column in range(min(game.config.noise, TRIED)):
        tick()
        each.append(_change(game, (_with(inputs, column, end) for end in (-1.0, 1.0))))
    found[f"{split}/effect_all"] = _change(game, (inputs, inputs.roll(1, 0)))
    if each:
        found[f"{split}/effect_noise"] = mean = sum(each) / len(each)
        found[f"{split}/effect_noise_most"] = max(each)
        first = found[f"{split}/effect_{game.codes.codes[0].name}"]
        found[f"{split}/effect_code_over_noise"] = first / max(mean, LEAST)
        found[f"{split}/effect_noise_share"] = mean / max(found[f"{split}/effect_all"], LEAST)
    return found


def _with(inputs: Tensor, column: int, value: float) -> Tensor:
    changed = inputs.clone()
    changed[:, column] = value
    return changed


def _change(game: Game, along: Iterable[Tensor]) -> float:
    """Mean over neighbours along the way."""
    samples = [game.unit(game.generator(inputs.to(game.inputs.device))) for inputs in along]
    changes = [float((a - b).abs().mean()) for a, b in pairwise(samples)]
    return sum(changes) / len(changes)
