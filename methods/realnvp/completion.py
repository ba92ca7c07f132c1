"""Filling in hidden pixels by climbing the density: the likeliest completion, or samples near it.

The density of the latents' prior and of the pixels differ by the logit's Jacobian, so the likeliest image
depends on the space in which one asks (`space`). A mode is not a typical sample: a completion can be likelier
than the truth, and a low nats value is no score of quality.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from methods.realnvp.config import CompleteConfig
from methods.realnvp.density import standard_normal
from methods.realnvp.logit import Logit
from methods.realnvp.multiscale import RealNVP


class Completion(NamedTuple):
    """What was filled in.

    Attributes:
        y: logit images `[B, C, H, W]`, observed pixels as they were.
        nats: negative log-density `[B]` of the whole image, in the space that was asked for.
        start: the same before the first step.
        evaluations: passes through the flow for each image.
    """

    y: Tensor
    nats: Tensor
    start: Tensor
    evaluations: int


@dataclass(frozen=True)
class Completer:
    """Completes images with a trained flow in evaluation mode, whose parameters stay as they are."""

    flow: RealNVP
    logit: Logit
    config: CompleteConfig

    def nats(self, y: Tensor) -> Tensor:
        """Negative log-density `[B]` of logit images, in logit space or in that of dequantised pixels."""
        z, log_det = self.flow(y)
        density = standard_normal(z) + log_det
        if self.config.space == "pixel" and self.logit.variant != "none":
            # The pixel is p = sigmoid(y) but for a constant, and dy/dp = 1 / (p (1 - p)).
            density = density + (F.softplus(y) + F.softplus(-y)).flatten(1).sum(1)
        return -density

    def best(self, y: Tensor, free: Tensor, starts: list[Tensor]) -> Completion:
        """The likeliest of the completions from several starts, for each image.

        Arguments:
            y: `[B, C, H, W]`; what it has where `free` `[1, 1, H, W]` is 1 is not looked at.
            starts: `[B, C, H, W]` each, read where `free` is 1.
        """
        found = [self.complete(torch.where(free > 0, start, y), free) for start in starts]
        choice = torch.stack([one.nats for one in found]).argmin(0)
        rows = torch.arange(len(y), device=y.device)
        return Completion(
            torch.stack([one.y for one in found])[choice, rows],
            torch.stack([one.nats for one in found])[choice, rows],
            torch.stack([one.start for one in found])[choice, rows],
            sum(one.evaluations for one in found),
        )

    def complete(self, y: Tensor, free: Tensor) -> Completion:
        """Adam on the free pixels of `y`, or Langevin steps, within the range that pixels can have."""
        low, high = self._box()
        kept, moved = y, (y.clamp(low, high)).clone().requires_grad_()
        optimizer = torch.optim.Adam([moved], lr=self.config.rate)
        start = None
        for _ in range(self.config.steps):
            nats = self.nats(torch.where(free > 0, moved, kept))
            start = nats.detach() if start is None else start
            (gradient,) = torch.autograd.grad(nats.sum(), moved)
            if self.config.langevin:
                noise = torch.randn_like(moved) * math.sqrt(2 * self.config.rate)
                moved.data.sub_(self.config.rate * gradient).add_(noise)
            else:
                moved.grad = gradient
                optimizer.step()
            moved.data.clamp_(low, high)
        with torch.no_grad():
            y = torch.where(free > 0, moved, kept)
            nats = self.nats(y)
        return Completion(y, nats, nats if start is None else start, self.config.steps + 1)

    def _box(self) -> tuple[float, float]:
        """The range of logit pixels; open ends are moved in by half a level."""
        ends = [self.logit.offset, self.logit.offset + self.logit.slope]
        if self.logit.variant == "none":
            return ends[0], ends[1]
        least = 0.5 * self.logit.slope / self.logit.levels
        low, high = max(ends[0], least), min(ends[1], 1 - least)
        return math.log(low / (1 - low)), math.log(high / (1 - high))


def free_pixels(hidden: str, height: int, width: int) -> Tensor:
    """`[1, 1, H, W]`, 1 where a pixel is hidden: the right, left, top or bottom half."""
    free = torch.zeros(1, 1, height, width)
    rows = {"top": slice(0, height // 2), "bottom": slice(height // 2, height)}.get(hidden, slice(None))
    columns = {"left": slice(0, width // 2), "right": slice(width // 2, width)}.get(hidden, slice(None))
    free[..., rows, columns] = 1
    return free


def starts_of(
    completer: Completer, observed: Tensor, free: Tensor, train: Tensor, generator: torch.Generator
) -> list[Tensor]:
    """Where to begin, in logit space `[B, C, H, W]`, for each of the configuration's `starts`.

    Arguments:
        observed: the logit images, of which hidden pixels are not looked at.
        train: integer training images `[N, C, H, W]`, for their mean and for the nearest neighbour by
            observed pixels.
    """
    logit, found = completer.logit, []
    middle = torch.full(observed.shape, 0.5, device=observed.device)
    for name in completer.config.starts:
        if name == "mean":
            mean = train.float().mean(0, keepdim=True).expand_as(observed)
            found.append(logit(mean, middle)[0])
        elif name == "sample":
            noise = torch.randn(observed.shape, generator=generator, device=observed.device)
            found.append(completer.flow.sample(noise))
        else:
            known = logit(train.float(), torch.full(train.shape, 0.5, device=train.device))[0] * (1 - free)
            distance = torch.cdist((observed * (1 - free)).flatten(1), known.flatten(1))
            found.append(logit(train[distance.argmin(1)].float(), middle)[0])
    return [start.detach() for start in found]


def completed(
    completer: Completer, images: Tensor, train: Tensor, generator: torch.Generator
) -> tuple[dict[str, Tensor | float], Tensor]:
    """Completes `images` (integers `[B, C, H, W]`): metrics, most for each image, and `[3, B, C, H, W]` logit
    images: the truth, the completion, and the truth filled with the mean image.

    `rmse` is over hidden pixels in [0, 1]; what is `minus` the truth or the mean image is below 0 where the
    completion is likelier or nearer.
    """
    noise = torch.rand(images.shape, generator=generator, device=images.device)
    truth = completer.logit(images, noise)[0]
    free = free_pixels(completer.config.hidden, *images.shape[-2:]).to(images.device)
    began = time.perf_counter()
    starts = starts_of(completer, truth, free, train, generator)
    found = completer.best(truth, free, starts)
    seconds = (time.perf_counter() - began) / len(images)
    average = train.float().mean(0, keepdim=True).expand_as(noise)
    mean = completer.logit(average, torch.full_like(noise, 0.5))[0]
    filled = torch.where(free > 0, mean, truth)
    with torch.no_grad():
        nats = completer.nats(truth)
    ours, theirs = (_rmse(completer.logit, one, truth, free) for one in (found.y, filled))
    return {
        "complete/rmse": ours,
        "complete/rmse_mean": theirs,
        "complete/rmse_minus_mean_image": ours - theirs,
        "complete/nats": found.nats,
        "complete/nats_start": found.start,
        "complete/nats_truth": nats,
        "complete/nats_minus_truth": found.nats - nats,
        "complete/seconds_per_image": seconds,
        "complete/evaluations": float(found.evaluations),
    }, torch.stack([truth, found.y, filled])


def _rmse(logit: Logit, y: Tensor, truth: Tensor, free: Tensor) -> Tensor:
    """Root mean square error `[B]` over the hidden pixels, as fractions of the range of grey levels."""
    square = (logit.fraction(y) - logit.fraction(truth)).square() * free
    return (square.flatten(1).sum(1) / (free.sum() * y.shape[1])).sqrt()
