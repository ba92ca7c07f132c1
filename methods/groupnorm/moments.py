"""What normalisation layers receive: moments of each image, and how those of few images scatter."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from methods.common.classify.listen import NONLINEAR, received
from methods.common.norm.batch import BatchNorm
from methods.common.norm.group import GroupNorm

LAYERS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, BatchNorm, nn.GroupNorm, GroupNorm)

DIVIDED = 60_000
"""Images that are divided into batches in all: one division alone has few large batches."""


@dataclass(frozen=True)
class Moments:
    """Of one layer's input, for each image and channel.

    Attributes:
        mean: means over positions, float64 `[N, C]`.
        square: means of squares, less the square of the channel's mean over all images; see `centre`.
        centre: that mean, `[C]`, around which the squares are taken, so that nothing cancels.
    """

    mean: Tensor
    square: Tensor
    centre: Tensor

    @property
    def variance(self) -> Tensor:
        """`[C]`, of all images and positions."""
        return self.square.mean(0) - (self.mean.mean(0) - self.centre).square()

    def of_batches(self, size: int, order: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Means and biased variances `[N // size, C]` of batches of images that are neighbours in `order`,
        int64 `[N]`, or as they are."""
        count = len(self.mean) // size
        places = torch.arange(len(self.mean)) if order is None else order
        mean, square = (
            one[places[: count * size]].view(count, size, -1).mean(1) for one in (self.mean, self.square)
        )
        return mean, square - (mean - self.centre).square()


def layer_moments(model: nn.Module, batches: Iterable[Tensor]) -> dict[str, Moments]:
    """Moments of what each normalisation receives, or each nonlinearity where there is none; the model is in
    evaluation mode, so that images do not depend on each other."""
    kinds = LAYERS if any(isinstance(module, LAYERS) for module in model.modules()) else NONLINEAR
    means: dict[str, list[Tensor]] = {}
    squares: dict[str, list[Tensor]] = {}
    centres: dict[str, Tensor] = {}
    for images in batches:
        for name, found in received(model, images, lambda module: isinstance(module, kinds)).items():
            x = found.double().flatten(2) if found.ndim > 2 else found.double().unsqueeze(2)
            centre = centres.setdefault(name, x.mean((0, 2)))
            means.setdefault(name, []).append(x.mean(2))
            squares.setdefault(name, []).append((x - centre[:, None]).square().mean(2))
    return {name: Moments(torch.cat(means[name]), torch.cat(squares[name]), centres[name]) for name in means}


def scatter(found: Moments, size: int) -> tuple[float, float]:
    """Relative error of the moments of batches of `size` images: of means in the population's deviations, of
    variances in its variance; root mean squares over batches, channels, and ways to divide the images.

    As of images drawn from a population without end: the batches divide the N images that are looked at, and
    all of these together have no error. Channels that are constant are left out.
    """
    alive, images = found.variance > 1e-12, len(found.mean)
    finite = math.sqrt(
        (images - size) / (images - 1)
    )  # of a sample without repetition (Cochran, section 2.6)
    generator, squares = torch.Generator().manual_seed(size), []
    for _ in range(-(-DIVIDED // images)):
        mean, variance = found.of_batches(size, torch.randperm(images, generator=generator))
        off = (mean - found.mean.mean(0)).square().mean(0) / found.variance
        wide = (variance - found.variance).square().mean(0) / found.variance.square()
        squares.append(torch.stack((off[alive].mean(), wide[alive].mean())))
    errors = torch.stack(squares).mean(0).sqrt() / finite
    return errors[0].item(), errors[1].item()


def unlike(found: Moments) -> tuple[float, float]:
    """How unlike the channels of a layer are: the deviation of their means over the mean of their deviations,
    and the ratio of the 90th to the 10th percentile of their deviations."""
    deviation = found.variance.clamp(min=0).sqrt()
    spread = found.mean.mean(0).std(correction=0) / deviation.mean()
    low, high = torch.quantile(deviation, torch.tensor([0.1, 0.9], dtype=torch.float64))
    return spread.item(), (high / low.clamp(min=1e-12)).item()
