"""Settings of the captioner; the values stand in `conf/method/toy_captioner.yaml`."""

from __future__ import annotations

from dataclasses import dataclass, field

from runner.api import Source


@dataclass(frozen=True)
class CaptionerConfig:
    """Where features come from, and what is made of them."""

    features: Source = field(metadata={"help": "where the images' features come from"})
    width: int = field(metadata={"help": "units of the recurrent network", "min": 1})
    lr: float = field(metadata={"help": "learning rate of Adam", "above": 0})
