"""Settings of the meta-learner; the values stand in `conf/method/toy_meta.yaml`."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class MetaConfig:
    """The network, the inner problem and the outer optimiser."""

    width: int = field(metadata={"help": "hidden units", "min": 1})
    dropout: float = field(metadata={"help": "dropout in the inner problem", "min": 0, "below": 1})
    strength: float = field(metadata={"help": "weight of the pull towards the meta-parameters", "above": 0})
    inner_steps: int = field(metadata={"help": "gradient steps of the inner problem", "min": 1})
    inner_lr: float = field(metadata={"help": "their learning rate", "above": 0})
    cg_steps: int = field(metadata={"help": "conjugate gradient steps", "min": 1})
    lr: float = field(metadata={"help": "learning rate of the outer optimiser", "above": 0})
