"""Settings of prototypical and matching networks; the values, and what they mean, stand in
`conf/method/protonet.yaml` and `matching.yaml`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class ProtoNetConfig:
    """Encoder, distance, episodes and optimiser.

    Raises:
        ValueError: where two values contradict each other; single values are checked against the metadata.
    """

    filters: int = field(metadata={"help": "channels of each block of the encoder", "min": 1, "max": 4096})
    blocks: int = field(metadata={"help": "blocks of the encoder", "min": 1, "max": 8})
    distance: Literal["sqeuclidean", "euclidean", "cosine", "mahalanobis"] = field(
        metadata={"help": "distance of embeddings"}
    )
    scale: float = field(metadata={"help": "factor of the distances", "above": 0})
    learn_scale: bool = field(metadata={"help": "whether the factor is learned"})

    way: int = field(metadata={"help": "classes of a training episode", "min": 2})
    shot: int | tuple[int, ...] = field(
        metadata={"help": "support images of each class; a list has one number for each class", "min": 1}
    )
    query: int = field(metadata={"help": "query images of each class of a training episode", "min": 1})
    epoch: int = field(metadata={"help": "episodes that are called an epoch", "min": 1})

    test_ways: tuple[int, ...] = field(metadata={"help": "classes of episodes that are tested on", "min": 2})
    test_shots: tuple[int, ...] = field(metadata={"help": "support images of each of the classes", "min": 1})
    test_query: int = field(metadata={"help": "query images of each of their classes", "min": 1})
    episodes: int = field(metadata={"help": "test episodes of each size", "min": 2})
    validation_episodes: int = field(metadata={"help": "validation episodes", "min": 2})
    transductive: bool = field(
        metadata={"help": "whether testing normalises an episode by its own batch's moments"}
    )

    lr: float = field(metadata={"help": "learning rate of Adam", "above": 0})
    halve_every: int | None = field(metadata={"help": "episodes after which the rate is halved", "min": 1})
    weight_decay: float = field(metadata={"help": "weight decay", "min": 0})

    def __post_init__(self) -> None:
        if not self.test_ways or not self.test_shots:
            raise ValueError("method.test_ways and method.test_shots must name one size or more")
        if not isinstance(self.shot, int) and len(self.shot) != self.way:
            raise ValueError(f"method.shot has {len(self.shot)} numbers for method.way={self.way} classes")


@dataclass(frozen=True)
class MatchingConfig(ProtoNetConfig):
    """The same with attention to single images."""

    full_context: bool = field(metadata={"help": "whether embeddings know the whole support set"})
    reads: int = field(
        metadata={"only": {"full_context": (True,)}, "help": "reads of a query with full_context", "min": 1}
    )
