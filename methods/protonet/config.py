"""Settings of prototypical and matching networks; the values, and what they mean, stand in
`conf/method/protonet.yaml` and `matching.yaml`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class SizesConfig:
    """Episodes that are tested on.

    Raises:
        ValueError: where a list is empty.
    """

    test_ways: tuple[int, ...] = field(metadata={"help": "classes of episodes that are tested on", "min": 2})
    test_shots: tuple[int, ...] = field(metadata={"help": "support images of each of the classes", "min": 0})
    test_query: int = field(metadata={"help": "query images of each of their classes", "min": 1})
    episodes: int = field(metadata={"help": "test episodes of each size", "min": 2})
    validation_episodes: int = field(metadata={"help": "validation episodes", "min": 2})

    def __post_init__(self) -> None:
        if not self.test_ways or not self.test_shots:
            raise ValueError("method.test_ways and method.test_shots must name one size or more")


@dataclass(frozen=True)
class FewShotConfig(SizesConfig):
    """Encoder, distance, episodes and optimiser: what both methods have.

    Raises:
        ValueError: where two values contradict each other; single values are checked against the metadata.
    """

    encoder: Literal["conv4", "linear", "mlp"] = field(metadata={"help": "family of encoders"})
    filters: int = field(
        metadata={"only": {"encoder": ("conv4",)}, "help": "channels of each block", "min": 1, "max": 4096}
    )
    blocks: int = field(metadata={"only": {"encoder": ("conv4",)}, "help": "blocks", "min": 1, "max": 8})
    hidden: tuple[int, ...] = field(
        metadata={"only": {"encoder": ("mlp",)}, "help": "units of the hidden layers", "min": 1}
    )
    width: int = field(
        metadata={"only": {"encoder": ("linear", "mlp")}, "help": "numbers in an embedding", "min": 1}
    )
    distance: Literal["sqeuclidean", "euclidean", "cosine", "mahalanobis"] = field(
        metadata={"help": "distance of embeddings"}
    )
    scale: float = field(metadata={"help": "factor of the distances", "above": 0})
    learn_scale: bool = field(metadata={"help": "whether the factor is learned"})

    way: int = field(metadata={"help": "classes of a training episode", "min": 2})
    shot: int | tuple[int, ...] = field(
        metadata={"help": "support images of each class; a list has one number for each class", "min": 0}
    )
    query: int = field(metadata={"help": "query images of each class of a training episode", "min": 1})
    epoch: int = field(metadata={"help": "episodes that are called an epoch", "min": 1})

    transductive: bool = field(
        metadata={"help": "whether testing normalises an episode by its own batch's moments"}
    )

    lr: float = field(metadata={"help": "learning rate of Adam", "above": 0})
    halve_every: int | None = field(metadata={"help": "episodes after which the rate is halved", "min": 1})
    weight_decay: float = field(metadata={"help": "weight decay", "min": 0})

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.shot, int) and len(self.shot) != self.way:
            raise ValueError(f"method.shot has {len(self.shot)} numbers for method.way={self.way} classes")
        if {shot == 0 for shot in self.test_shots} != {self.zero_shot}:
            raise ValueError(
                f"method.shot={self.shot} does not go with method.test_shots={list(self.test_shots)}: "
                "without support images in training, there are none in testing, and the other way round"
            )

    @property
    def zero_shot(self) -> bool:
        """Whether classes are known by their attributes, and not by images."""
        return self.shot == 0


@dataclass(frozen=True)
class ProtoNetConfig(FewShotConfig):
    """Prototypes of classes."""

    unit_prototypes: bool = field(
        metadata={"help": "whether prototypes from attributes, method.shot=0, have length 1"}
    )


@dataclass(frozen=True)
class MatchingConfig(FewShotConfig):
    """Attention to single images."""

    full_context: bool = field(metadata={"help": "whether embeddings know the whole support set"})
    reads: int = field(
        metadata={"only": {"full_context": (True,)}, "help": "reads of a query with full_context", "min": 1}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.zero_shot:
            raise ValueError("method.shot=0 has no image that matching could attend to; protonet takes it")


@dataclass(frozen=True)
class NeighboursConfig(SizesConfig):
    """Classification without any training on episodes."""

    space: Literal["pixels", "untrained"] = field(metadata={"help": "where images are compared"})
    by: Literal["image", "cosine", "mean", "medoid", "spherical", "logistic"] = field(
        metadata={"help": "what decides"}
    )
    filters: int = field(
        metadata={"only": {"space": ("untrained",)}, "help": "channels of each block", "min": 1, "max": 4096}
    )
    blocks: int = field(metadata={"only": {"space": ("untrained",)}, "help": "blocks", "min": 1, "max": 8})

    def __post_init__(self) -> None:
        super().__post_init__()
        if 0 in self.test_shots:
            raise ValueError(
                f"method.test_shots={list(self.test_shots)}: without an image of a class nothing is near it; "
                "protonet takes 0"
            )
