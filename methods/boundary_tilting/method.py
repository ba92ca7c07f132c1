"""Linear classifiers of two classes as a method."""

from __future__ import annotations

from methods.boundary_tilting.config import TiltingConfig
from methods.boundary_tilting.stage import TiltStage
from runner.api import Method, Stage


class BoundaryTiltingMethod(Method):
    """A path of linear classifiers, and their adversarial examples."""

    config: TiltingConfig

    def stages(self) -> list[Stage]:
        return [TiltStage(self.config)]
