"""InfoGAN and GAN: one game, two settings."""

from __future__ import annotations

from methods.infogan.config import GanConfig
from methods.infogan.judge import Judge
from methods.infogan.stage import InfoGANStage
from runner.api import Method, Stage


class InfoGANMethod(Method):
    """A classifier that looks at samples, where one is asked for, and the game."""

    config: GanConfig

    def stages(self) -> list[Stage]:
        judge: list[Stage] = [Judge(self.config.judge_steps)] if self.config.judge_steps else []
        return [*judge, InfoGANStage(self.config)]
