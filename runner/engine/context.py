"""What every stage of one run shares."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from runner.engine.feed import Feed
from runner.settings import DebugSettings, TrainerSettings
from runner.signals import StopRequest


@dataclass(frozen=True)
class Context:
    """What every stage of one run shares.

    Attributes:
        numerics: what changes bits beside the settings: versions, threads, device, precision, compilation.
        smaller: names of experiments that fit a laptop, named when a run will take long.
        checkpoint: folder of the finished run given by `checkpoint=`.
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
