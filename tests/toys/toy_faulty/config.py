"""Settings of the faults; the values stand in `conf/method/toy_faulty.yaml`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class FaultyConfig:
    """What goes wrong, and when."""

    lr: float = field(metadata={"help": "learning rate", "above": 0})
    fault: Literal[
        "none",
        "loss",
        "gradient",
        "monitor",
        "buffer",
        "parameter",
        "raise",
        "exit",
        "kill",
        "crash",
        "leave",
        "hang",
        "deaf",
        "second",
    ] = field(metadata={"help": "what goes wrong; see conf/method/toy_faulty.yaml"})
    fuse: str | None = field(metadata={"help": "a file; the fault happens only while it exists"})
    at: int = field(metadata={"help": "step of the fault, counted from 1", "min": 1})
    maximise: bool = field(metadata={"help": "true: the weights with the largest error are the best"})
    pause: float = field(metadata={"help": "seconds that a batch of evaluation takes", "min": 0})
