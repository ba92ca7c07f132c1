"""Settings of both methods; the values, and what they mean, stand in `conf/method/boundary_tilting.yaml` and
`adversarial.yaml`."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal


@dataclass(frozen=True)
class TiltingConfig:
    """Linear classifiers of two classes along a path of regularisation.

    Raises:
        ValueError: where two values contradict each other; single values are checked against the metadata.
    """

    loss: Literal["logistic", "squared_hinge", "hinge"] = field(metadata={"help": "what is minimised"})
    c: tuple[float, ...] = field(metadata={"help": "strengths C of the loss, rising", "above": 0})
    scale_c: bool = field(metadata={"help": "C times the images' mean squared norm is what c says"})
    per_class: int | None = field(metadata={"help": "training images of each class, the first", "min": 2})
    side: int | None = field(metadata={"help": "side that images are resized to", "min": 2, "max": 512})
    flipped: float = field(
        metadata={"help": "share of training labels that are wrong", "min": 0, "below": 0.5}
    )

    ridge: float = field(metadata={"help": "penalty of the ridge classifier beside the path", "min": 0})
    shrinkage: float = field(metadata={"help": "shrinkage of the linear discriminant", "min": 0, "max": 1})

    tilts: tuple[float, ...] = field(
        metadata={"help": "angles of free tilting, degrees", "min": 0, "below": 90}
    )
    directions: tuple[int, ...] = field(metadata={"help": "principal components to tilt towards", "min": 1})
    inside: tuple[int, ...] = field(metadata={"help": "components that an attack is kept to", "min": 1})
    eps: tuple[float, ...] = field(metadata={"help": "sizes of the fast gradient sign", "min": 0, "max": 1})
    shown: int = field(metadata={"help": "images of each class in figures", "min": 1, "max": 20})

    def __post_init__(self) -> None:
        if not self.c or any(b <= a for a, b in pairwise(self.c)):
            raise ValueError(f"method.c must be one strength or more, rising: {list(self.c)}")
