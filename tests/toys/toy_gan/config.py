"""Settings of the GAN; the values stand in `conf/method/toy_gan.yaml`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class GanConfig:
    """Two networks and their optimisers."""

    width: int = field(metadata={"help": "hidden units of either network", "min": 1})
    norm: Literal["batch", "none"] = field(metadata={"help": "normalisation of the hidden layer"})
    latent: int = field(metadata={"help": "dimensions of the noise", "min": 1})
    d_steps: int = field(metadata={"help": "discriminator steps for one of the generator", "min": 1})
    lr: float = field(metadata={"help": "learning rate of the generator", "above": 0})
    d_lr: float = field(metadata={"help": "learning rate of the discriminator", "above": 0})
