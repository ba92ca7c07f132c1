"""Settings of the sine waves; the values stand in `conf/dataset/toy_sines.yaml`."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class SinesConfig:
    """How many tasks make a batch, and how many points a task."""

    batch_size: int = field(metadata={"help": "tasks per batch", "min": 1})
    limit: int | None = field(metadata={"help": "at most this many tasks in each part", "min": 1})
    shots: int = field(metadata={"help": "points that a task is learned from", "min": 1})
