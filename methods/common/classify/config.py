"""Settings of a classifier; methods add their own. The values stand in the methods' YAML."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

BOTTLENECKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
"""Blocks of each stage of the residual networks for ImageNet, by depth (He et al., 2016, table 1)."""

BATCH = ("batch", "renorm")
"""Normalisations that keep running moments."""


@dataclass(frozen=True)
class ClassifierConfig:
    """Network, normalisation, initialisation and optimiser.

    Raises:
        ValueError: where two values contradict each other; single values are checked against the metadata.
    """

    network: Literal["mlp", "cnn", "resnet", "vgg16", "inception"] = field(
        metadata={"help": "family of networks"}
    )
    hidden: tuple[int, ...] = field(
        metadata={
            "only": {"network": ("mlp",)},
            "help": "units of the hidden layers of network=mlp",
            "min": 1,
            "max": 65536,
        }
    )
    depth: int = field(
        metadata={
            "only": {"network": ("resnet",)},
            "help": "layers of network=resnet: 6 n + 2, or 50 or 101",
            "min": 8,
        }
    )
    width: int = field(
        metadata={
            "only": {"network": ("resnet",)},
            "help": "channels of the first stage of network=resnet",
            "min": 1,
            "max": 4096,
        }
    )
    activation: Literal["relu", "sigmoid"] = field(
        metadata={
            "only": {"network": ("mlp", "inception")},
            "help": "nonlinearity of network=mlp and inception",
        }
    )
    dropout: float = field(
        metadata={
            "only": {"network": ("mlp", "vgg16", "inception")},
            "help": "dropout, where the network has it",
            "min": 0,
            "below": 1,
        }
    )

    norm: Literal["none", "batch", "group", "layer", "instance", "renorm"] = field(
        metadata={"help": "normalisation of every layer but the last"}
    )
    groups: int | None = field(
        metadata={
            "only": {"norm": ("group",)},
            "help": "groups of norm=group; null = by the channels",
            "min": 1,
        }
    )
    grouping: Literal["neighbours", "random"] = field(
        metadata={"only": {"norm": ("group",)}, "help": "which channels make a group of norm=group"}
    )
    norm_impl: Literal["reference", "fused"] = field(
        metadata={
            "only": {"norm": ("batch", "group", "layer", "instance")},
            "help": "our own layers, or torch's kernels",
        }
    )
    norm_momentum: float | None = field(
        metadata={
            "only": {"norm": BATCH},
            "help": "weight of a batch in running moments; null = mean of all",
            "min": 0,
            "max": 1,
        }
    )
    zero_gamma: bool = field(
        metadata={
            "only": {"network": ("resnet",)},
            "help": "whether the last gain of each residual block begins at 0",
        }
    )

    input: Literal["standard", "binary"] = field(
        metadata={"help": "pixels less their mean over their deviation, or 0 and 1"}
    )
    init: Literal["he", "gaussian"] = field(metadata={"help": "initial weights"})
    init_std: float = field(
        metadata={
            "only": {"init": ("gaussian",)},
            "help": "deviation of init=gaussian",
            "above": 0,
            "max": 1e6,
        }
    )

    lr: float = field(metadata={"help": "learning rate of SGD", "above": 0})
    lr_batch: int | None = field(
        metadata={"help": "batch size that lr is for; null = lr whatever the size", "min": 1}
    )
    momentum: float = field(metadata={"help": "momentum of SGD", "min": 0, "below": 1})
    weight_decay: float = field(metadata={"help": "weight decay", "min": 0})
    norm_decay: float | None = field(
        metadata={"help": "weight decay of gains and all offsets; null = weight_decay", "min": 0}
    )
    schedule: Literal["constant", "cosine", "step"] = field(metadata={"help": "course of the learning rate"})
    milestones: tuple[float, ...] = field(
        metadata={
            "only": {"schedule": ("step",)},
            "help": "parts of the training after which schedule=step divides the rate",
            "above": 0,
        }
    )
    decay: float = field(
        metadata={"only": {"schedule": ("step",)}, "help": "factor of schedule=step", "above": 0, "max": 1}
    )
    warmup: int = field(metadata={"help": "steps of linear warm-up of the learning rate", "min": 0})

    recalibrate_batches: int = field(
        metadata={
            "only": {"norm": BATCH},
            "help": "training batches whose moments replace the running ones at evaluation",
            "min": 0,
        }
    )

    def __post_init__(self) -> None:
        if not self.hidden:
            raise ValueError("method.hidden must name one layer or more")
        if any(not 0 < at < 1 for at in self.milestones) or list(self.milestones) != sorted(self.milestones):
            raise ValueError("method.milestones must be numbers between 0 and 1 in ascending order")
        if self.network == "mlp" and self.norm == "instance":
            raise ValueError("method.norm=instance needs positions; network=mlp has one value a channel")
        if self.network == "resnet" and self.depth not in BOTTLENECKS and self.depth % 6 != 2:
            near = 6 * round((self.depth - 2) / 6) + 2
            raise ValueError(
                f"there is no ResNet of method.depth={self.depth}: depths are 8, 14, 20 and so on, of which "
                f"{near} is the nearest, and 50 and 101"
            )
        if self.norm == "group" and self.groups is not None and self.network in ("mlp", "resnet"):
            self._check_groups(self.groups)

    def _check_groups(self, groups: int) -> None:
        """Raises ValueError for channels that do not divide; those of a residual network are multiples of its
        width."""
        key, widths = ("width", [self.width]) if self.network == "resnet" else ("hidden", self.hidden)
        for channels in widths:
            if channels % groups:
                fitting = [n for n in range(1, channels + 1) if channels % n == 0]
                near = sorted(sorted(fitting, key=lambda n: abs(n - groups))[:3])
                raise ValueError(
                    f"method.groups={groups} does not divide the {channels} channels of method.{key}; "
                    f"{', '.join(map(str, near))} do"
                )
