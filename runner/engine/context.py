"""What every stage of one run shares."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from runner.api import TrainStage
from runner.engine.feed import Feed
from runner.engine.team import Team
from runner.settings import DebugSettings, TrainerSettings
from runner.signals import StopRequest


@dataclass(frozen=True)
class Context:
    """What every stage of one run shares.

    Attributes:
        numerics: what changes bits beside the settings: versions, threads, device, precision, compilation.
        smaller: words that choose settings for a laptop, said when a run will take long.
        checkpoint: folder of the finished run given by `checkpoint=`.
        team: the processes that compute this run together.
    """

    seed: int
    device: torch.device
    precision: str
    compile: bool
    trainer: TrainerSettings
    debug: DebugSettings
    data: Any
    batch_size: int
    feed: Feed
    stop: StopRequest
    cache: Path
    numerics: dict[str, Any]
    smaller: tuple[str, ...] = ()
    checkpoint: Path | None = None
    team: Team = field(default_factory=Team)


def length(stage: TrainStage, context: Context) -> int:
    """Steps of a stage: its own length and what the trainer says, whichever is shortest."""
    trainer = context.trainer
    epoch = stage.items(context.data) / context.batch_size
    by_epochs = None if trainer.epochs is None else max(1, math.ceil(trainer.epochs * epoch))
    given = [steps for steps in (stage.length, trainer.steps, by_epochs) if steps is not None]
    return min(given, default=trainer.fallback_steps)
