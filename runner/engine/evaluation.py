"""Looking at a stage without changing it: metrics and figures, with averaged weights where there are some."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy
from PIL import Image

from runner.api import Projection, Stage, TrainStage
from runner.engine import contract
from runner.engine.averages import Averages
from runner.engine.guard import unchanged
from runner.engine.journal import Drawn
from runner.engine.projector import files_of
from runner.engine.seeding import Stream


class Evaluator:
    """Evaluates one stage; every look is seeded alike, so that two looks at the same weights agree."""

    def __init__(self, stage: Stage, seed: int, averages: Averages | None, tick: Callable[[], None]) -> None:
        self.stage, self.seed, self.averages, self.tick = stage, seed, averages, tick

    @contextmanager
    def looking(self, purpose: str) -> Iterator[None]:
        """Seeds for `purpose`, puts averages in place, and sees to it that nothing is changed inside."""
        Stream(self.seed, self.stage.name, purpose).seed()
        tracked = getattr(self.stage, "tracked", {})
        averages = self.averages.applied() if self.averages is not None else nullcontext()
        with averages, unchanged(tracked, f"{purpose} of stage {self.stage.name}"):
            yield

    def metrics(self, split: str) -> dict[str, float]:
        """`Stage.evaluate` of `split` as floats; raises `BadMethod` for what are no numbers of that split."""
        with self.looking(f"evaluation of {split}"):
            found = contract.numbers(self.stage.evaluate(split, self.tick), self.stage, "evaluate")
        contract.of_split(found, self.stage, split)
        return found

    def figures(self) -> dict[str, Drawn]:
        """`TrainStage.figures` by name: each picture as a PNG file, each projection as its files."""
        assert isinstance(self.stage, TrainStage)
        with self.looking("figures"):
            return {
                name: files_of(drawn) if isinstance(drawn, Projection) else png(drawn)
                for name, drawn in self.stage.figures().items()
            }


def finite(metrics: dict[str, float]) -> dict[str, float]:
    """The metrics that are finite numbers."""
    return {name: value for name, value in metrics.items() if math.isfinite(value)}


def png(picture: Any) -> bytes:
    """A picture (uint8 `[H, W]` or `[H, W, 3]`, array or tensor, or a matplotlib figure) as a PNG file."""
    out = io.BytesIO()
    if hasattr(picture, "savefig"):
        picture.savefig(out, format="png", dpi=120, metadata={"Software": None})
    else:
        pixels = numpy.asarray(picture.cpu() if hasattr(picture, "cpu") else picture)
        if pixels.dtype != numpy.uint8:
            raise ValueError(f"a picture holds uint8, not {pixels.dtype}")
        Image.fromarray(pixels).save(out, format="PNG")
    return out.getvalue()
