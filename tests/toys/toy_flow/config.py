"""Settings of the flow; the values stand in `conf/method/toy_flow.yaml`."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class FlowConfig:
    """Architecture and optimiser."""

    couplings: int = field(metadata={"help": "affine couplings", "min": 1})
    width: int = field(metadata={"help": "hidden units of each", "min": 1})
    dropout: float = field(metadata={"help": "dropout inside each", "min": 0, "below": 1})
    lr: float = field(metadata={"help": "learning rate of Adam", "above": 0})
    warmup: int = field(metadata={"help": "steps of linear warm-up", "min": 0})
