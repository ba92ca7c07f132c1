"""Group normalisation as a method: one classifier, and looks at what its layers receive."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from methods.common.classify.probe import Probe
from methods.common.classify.quantiles import Quantiles
from methods.common.classify.stage import LOOK, ClassifyStage
from methods.groupnorm.config import GroupNormConfig
from methods.groupnorm.moments import Moments, layer_moments, scatter, unlike
from runner.api import Inputs, Method, Metrics, Stage, Work

LEVELS = (0.01, 0.2, 0.5, 0.8, 0.99)
"""Percentiles of the paper's figure 6, and the middle."""

SIZES = (2, 4, 8, 16, 32, 64, 128)


class GroupNormMethod(Method):
    """Group normalization."""

    config: GroupNormConfig

    def stages(self) -> list[Stage]:
        every, probes = self.config.percentiles_every, list[Probe]()
        if every is not None:
            probes.append(Quantiles(every, LEVELS, unit=None))
        return [GroupNormStage(self.config, probes)]


class GroupNormStage(ClassifyStage):
    """A classifier whose layers can be looked at."""

    config: GroupNormConfig

    def perform(self, task: str, work: Work, inputs: Inputs) -> Metrics:
        """`task=statistics` and `channels`; `statistics` also draws `figures/statistics.png`."""
        self.classifier.eval()
        found = layer_moments(self.classifier, self._images())
        if task == "channels":
            return channels(found)
        metrics, errors = statistics(found)
        place = work.dir / "figures"
        place.mkdir(exist_ok=True)
        draw(errors, place / "statistics.png")
        return metrics

    def _images(self) -> Iterator[Tensor]:
        """Training images in their order, without augmentation."""
        count = -(-min(self.config.look_images, len(self.data.train)) // LOOK)
        for batch in islice(self.inputs.batches(self.data.train.plain, LOOK), count):
            yield batch.images


def statistics(found: dict[str, Moments]) -> tuple[Metrics, np.ndarray]:
    """Errors of batch moments by the size of a batch, means over layers, and the slopes of their logarithms;
    1/2 below zero is what independent images give.

    Returns also the errors `[2, sizes, layers]`, of means and of variances.
    """
    errors = np.array([[scatter(layer, size) for layer in found.values()] for size in SIZES])
    errors = errors.transpose(2, 0, 1)
    metrics: Metrics = {}
    for name, error in zip(("mean", "variance"), errors.mean(2), strict=True):
        metrics |= {f"statistics/{name}_error_{size}": e for size, e in zip(SIZES, error, strict=True)}
        metrics[f"statistics/{name}_slope"] = np.polyfit(np.log(SIZES), np.log(error), 1)[0]
    return metrics, errors


def channels(found: dict[str, Moments]) -> Metrics:
    """How unlike channels are (see `unlike`), the mean over layers and of each layer, counted from 1."""
    both = [unlike(layer) for layer in found.values()]
    metrics: Metrics = {}
    for name, values in zip(("mean_spread", "deviation_ratio"), zip(*both, strict=True), strict=True):
        metrics[f"channels/{name}"] = float(np.mean(values))
        metrics |= {f"channels/{name}_{i + 1}": value for i, value in enumerate(values)}
    return metrics


def draw(errors: np.ndarray, path: Path) -> None:
    """Error against the size of a batch, a line for each layer, and the slope of independent images."""
    figure = Figure(figsize=(7.5, 3.4), layout="constrained")
    for i, (name, error) in enumerate(zip(("mean", "variance"), errors, strict=True)):
        axes = figure.add_subplot(1, 2, i + 1)
        axes.loglog(SIZES, error, color="#0072B2", alpha=0.4, linewidth=1)
        axes.loglog(SIZES, error.mean(1), color="#0072B2", marker="o", label="mean of the layers")
        expected = error.mean(1)[0] * np.sqrt(SIZES[0] / np.array(SIZES))
        axes.loglog(SIZES, expected, "k--", linewidth=1, label="slope -1/2")
        axes.set_xticks(SIZES, [str(size) for size in SIZES])
        axes.minorticks_off()
        axes.set_xlabel("images in a batch")
        axes.set_title(f"relative error of a batch's {name}", fontsize=9)
        axes.legend(fontsize=8, frameon=False)
    figure.savefig(path, dpi=120, metadata={"Software": None})
