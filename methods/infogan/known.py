"""What Q's guesses at images have to do with what is known of these."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from datasets.types import Factor, Images, ImageSplit
from methods.infogan import clusters, look
from methods.infogan.ranks import ranks
from methods.infogan.seeded import SEED
from runner.api import Metrics

if TYPE_CHECKING:
    from methods.infogan.game import Game

SHUFFLES = 20
"""Orders of the images whose mean information is what chance alone tells."""


def known(game: Game, split: str, tick: Callable[[], None]) -> Metrics:
    """Of each factor that is a quantity, rank correlations with the guesses at continuous codes
    (`rank_true_<factor>`); of each that is a choice, the information in nats that the guess at one
    categorical code has of it, the greatest over the codes, less what chance tells (`told_<factor>`), and
    what chance tells (`told_<factor>_shuffled`). Classes are a choice, too."""
    guessed, part = look.read(game, split, tick), getattr(game.data, split).plain
    columns = _columns(game.data, part, len(guessed))
    columns[Factor("class", tuple(game.data.classes))] = look.labels(game, split)
    quantities = {f"true_{one.name}": column for one, column in columns.items() if not one.values}
    found: Metrics = {}
    if game.codes.continuous and quantities:
        means = {code.name: game.codes.best(guessed, code) for code in game.codes.continuous}
        found |= ranks(split, quantities, means)
    if game.codes.categorical:
        best = [(game.codes.best(guessed, code), code.values) for code in game.codes.categorical]
        for one, column in columns.items():
            if len(one.values) > 1:
                told, chance = _told(best, column.long(), len(one.values))
                found |= {
                    f"{split}/told_{one.name}": told - chance,
                    f"{split}/told_{one.name}_shuffled": chance,
                }
    return found


def _columns(data: Images, part: ImageSplit, many: int) -> dict[Factor, Tensor]:
    """Each known factor's values of the first images."""
    if part.factors is None:
        return {}
    return dict(zip(data.known, part.factors[:many].cpu().T, strict=True))


def _told(best: list[tuple[Tensor, int]], choices: Tensor, many: int) -> tuple[float, float]:
    """Greatest information in nats of one code about the choices, and its mean over shuffled choices."""

    def greatest(of: Tensor) -> float:
        return max(clusters.information(clusters.table(k, of, (values, many))) for k, values in best)

    dice = torch.Generator().manual_seed(SEED)
    shuffled = [choices[torch.randperm(len(choices), generator=dice)] for _ in range(SHUFFLES)]
    return greatest(choices), sum(map(greatest, shuffled)) / SHUFFLES
