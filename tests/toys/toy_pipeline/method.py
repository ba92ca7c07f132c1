"""Pre-train, fine-tune, cache, fit: the order of the stages."""

from __future__ import annotations

from runner.api import Method, Stage

from .compute import Features, Svms
from .config import PipelineConfig
from .training import Finetune, Pretrain


class PipelineMethod(Method):
    """Four stages, each from what the one before it left."""

    config: PipelineConfig

    def stages(self) -> list[Stage]:
        c = self.config
        return [Pretrain(c.pretrain), Finetune(c.finetune), Features(c.features), Svms(c.svm)]
