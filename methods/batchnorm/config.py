"""Settings of the batch normalisation study; the values, and what they mean, stand in
`conf/method/batchnorm.yaml`."""

from __future__ import annotations

from dataclasses import dataclass, field

from methods.common.classify.config import ClassifierConfig


@dataclass(frozen=True)
class BatchNormConfig(ClassifierConfig):
    """A classifier, and what is measured while it trains."""

    quantiles_every: int | None = field(
        metadata={"help": "steps between looks at the nonlinearities' inputs; null = never", "min": 1}
    )
    ics_every: int | None = field(
        metadata={
            "help": "steps between measurements of the gradient's covariate shift; null = never",
            "min": 1,
        }
    )
