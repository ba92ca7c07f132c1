"""Learning rates as functions of the step, so that a resumed run needs no scheduler state."""

from __future__ import annotations

import math
from collections.abc import Sequence


def learning_rate(step: int, base: float, schedule: str, warmup: int, steps: int) -> float:
    """The rate of update number `step`, counted from 0.

    Linear warm-up ends with `base` at step `warmup`; then `constant` stays there and `cosine` falls along
    half a wave towards 0, which it would reach at step `steps` (Loshchilov and Hutter, 2017, without
    restarts).

    Args:
        step: the step, at least 0; beyond `steps` a cosine stays at 0.
        base: the highest rate.
        schedule: `constant` or `cosine`.
        warmup: steps of warm-up.
        steps: length of the training.

    Raises:
        ValueError: if the schedule is unknown.
    """
    if schedule not in ("constant", "cosine"):
        raise ValueError(f"schedule must be constant or cosine, not {schedule}")
    if step < warmup:
        return base * (step + 1) / (warmup + 1)
    if schedule == "constant":
        return base
    progress = (step - warmup) / max(1, steps - warmup)
    return base * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def step_decay(step: int, base: float, milestones: Sequence[float], factor: float, steps: int) -> float:
    """The rate of update number `step`, counted from 0: `base` times `factor` for each milestone passed.

    Args:
        milestones: parts of the training, 0 to 1.
        steps: length of the training.
    """
    return float(base * factor ** sum(step >= round(at * steps) for at in milestones))
