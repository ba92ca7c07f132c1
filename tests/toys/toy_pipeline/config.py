"""Settings of the four stages; the values stand in `conf/method/toy_pipeline.yaml`."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class NetworkConfig:
    """The network that computes features."""

    width: int = field(metadata={"help": "features", "min": 1})
    dropout: float = field(metadata={"help": "dropout on them in training", "min": 0, "below": 1})


@dataclass(frozen=True)
class TrainingConfig:
    """One training stage."""

    network: NetworkConfig = field(metadata={"help": "the network"})
    steps: int | None = field(metadata={"help": "its length; null = trainer.steps", "min": 1})
    lr: float = field(metadata={"help": "learning rate", "above": 0})


@dataclass(frozen=True)
class FeaturesConfig:
    """The cache of features."""

    network: NetworkConfig = field(metadata={"help": "the network"})
    block: int = field(metadata={"help": "images of a block", "min": 1})


@dataclass(frozen=True)
class SvmConfig:
    """The linear classifiers."""

    c: float = field(metadata={"help": "inverse strength of regularisation", "above": 0})
    share: float = field(
        metadata={"help": "share of the other images that each is fitted on", "above": 0, "max": 1}
    )


@dataclass(frozen=True)
class PipelineConfig:
    """All four stages; each is given its own part alone, and stays valid when another changes."""

    pretrain: TrainingConfig = field(metadata={"help": "predicting turns"})
    finetune: TrainingConfig = field(metadata={"help": "predicting classes"})
    features: FeaturesConfig = field(metadata={"help": "the cache"})
    svm: SvmConfig = field(metadata={"help": "the classifiers"})
