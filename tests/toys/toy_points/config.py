"""Settings of the points; the values stand in `conf/dataset/toy_points.yaml`."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class PointsConfig:
    """How many points there are, and how far they stray from the moons."""

    batch_size: int = field(metadata={"help": "points per batch", "min": 1})
    limit: int | None = field(metadata={"help": "at most this many points in each part", "min": 1})
    spread: float = field(metadata={"help": "standard deviation around the moons", "min": 0})
