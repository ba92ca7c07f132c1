"""Prototypical networks, and matching networks beside them."""

from __future__ import annotations

from methods.protonet.config import FewShotConfig
from methods.protonet.stage import FewShotStage
from runner.api import Method, Stage


class FewShotMethod(Method):
    """One encoder, and a head that compares embeddings."""

    config: FewShotConfig

    def stages(self) -> list[Stage]:
        return [FewShotStage(self.config)]
