"""Batch normalisation as a method: one classifier, and what is measured while it trains."""

from __future__ import annotations

from methods.batchnorm.config import BatchNormConfig
from methods.batchnorm.covariate import GradientShift
from methods.batchnorm.layers import Layers
from methods.common.classify.probe import Probe
from methods.common.classify.quantiles import Quantiles
from methods.common.classify.stage import ClassifyStage
from runner.api import Method, Stage

LEVELS = (0.15, 0.5, 0.85)
"""Quantiles of the paper's figure 1."""


class BatchNormMethod(Method):
    """Batch normalization: accelerating deep network training by reducing internal covariate shift."""

    config: BatchNormConfig

    def stages(self) -> list[Stage]:
        probes: list[Probe] = [Layers()]
        if self.config.quantiles_every is not None:
            probes.append(Quantiles(self.config.quantiles_every, LEVELS))
        if self.config.ics_every is not None:
            probes.append(GradientShift(self.config.ics_every))
        return [ClassifyStage(self.config, probes)]
