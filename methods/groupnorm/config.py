"""Settings of the group normalisation study; the values, and what they mean, stand in
`conf/method/groupnorm.yaml`."""

from __future__ import annotations

from dataclasses import dataclass, field

from methods.common.classify.config import ClassifierConfig


@dataclass(frozen=True)
class GroupNormConfig(ClassifierConfig):
    """A classifier, and what is measured of its layers."""

    percentiles_every: int | None = field(
        metadata={"help": "steps between looks at the nonlinearities' inputs; null = never", "min": 1}
    )
    look_images: int = field(
        metadata={"help": "training images of task=statistics and channels", "min": 256, "max": 65536}
    )
