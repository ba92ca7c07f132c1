"""Group normalisation as a method: one classifier, and looks at what its layers receive."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch import Tensor

from datasets.types import DataError
from methods.common.classify.probe import Probe
from methods.common.classify.quantiles import Quantiles
from methods.common.classify.score import LOOK
from methods.common.classify.some import Some
from methods.common.classify.stage import ClassifyStage
from methods.groupnorm.config import GroupNormConfig
from methods.groupnorm.figures import draw_channels, draw_errors, save
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
        """`task=statistics` and `channels`, each of which draws a figure of its name."""
        self.classifier.eval()
        found = layer_moments(self.classifier, self._images())
        place = work.dir / "figures"
        place.mkdir(exist_ok=True)
        if task == "channels":
            save(draw_channels(list(found.values())), place / "channels.png")
            return channels(found)
        metrics, sizes, errors = statistics(found)
        save(draw_errors(sizes, errors), place / "statistics.png")
        return metrics

    def _images(self) -> Iterator[Tensor]:
        """Training images in a mixed order, without augmentation."""
        for batch in self.inputs.batches(Some(self.data.train.plain, self.config.look_images), LOOK):
            yield batch.images


def statistics(found: dict[str, Moments]) -> tuple[Metrics, list[int], np.ndarray]:
    """Errors of batch moments by the size of a batch, means over layers, and the slopes of their logarithms;
    1/2 below zero is what independent images give.

    Returns also the sizes of which there are two batches or more, and the errors `[2, sizes, layers]`, of
    means and of variances. Raises `DataError` where there are too few images for two sizes.
    """
    images = min(len(layer.mean) for layer in found.values())
    sizes = [size for size in SIZES if images >= 2 * size]
    if len(sizes) < 2:
        raise DataError(f"task=statistics takes {2 * SIZES[1]} training images or more, not {images}")
    errors = np.array([[scatter(layer, size) for layer in found.values()] for size in sizes])
    errors = errors.transpose(2, 0, 1)
    metrics: Metrics = {}
    for name, error in zip(("mean", "variance"), errors.mean(2), strict=True):
        metrics |= {f"statistics/{name}_error_{size}": e for size, e in zip(sizes, error, strict=True)}
        metrics[f"statistics/{name}_slope"] = np.polyfit(np.log(sizes), np.log(error), 1)[0]
    return metrics, sizes, errors


def channels(found: dict[str, Moments]) -> Metrics:
    """How unlike channels are (see `unlike`), the mean over layers and of each layer, counted from 1."""
    both = [unlike(layer) for layer in found.values()]
    metrics: Metrics = {}
    for name, values in zip(("mean_spread", "deviation_ratio"), zip(*both, strict=True), strict=True):
        metrics[f"channels/{name}"] = float(np.mean(values))
        metrics |= {f"channels/{name}_{i + 1}": value for i, value in enumerate(values)}
    return metrics
