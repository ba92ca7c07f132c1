"""Log-likelihood of integer images, in nats and in bits per dimension (sections 3.1 and 4.1)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from methods.realnvp.logit import Logit
from methods.realnvp.multiscale import RealNVP


class LogLikelihood(NamedTuple):
    """Log-likelihood per image and its parts, each `[B]` in nats; `total` is the sum of the other three.

    Attributes:
        total: log-density of the dequantised image in units of grey levels, a lower bound of log P(v) on
            average.
        prior: of the latents under the unit Gaussian.
        log_det: log-determinant of the flow.
        preprocess: log-determinant of dequantisation and logit.
    """

    total: Tensor
    prior: Tensor
    log_det: Tensor
    preprocess: Tensor


def standard_normal(z: Tensor) -> Tensor:
    """Log-density `[B]` of `z` `[B, ...]` under independent unit Gaussians."""
    z = z.flatten(1)
    return -0.5 * (z * z).sum(dim=1) - 0.5 * math.log(2 * math.pi) * z.shape[1]


def log_likelihood(
    flow: RealNVP, logit: Logit, images: Tensor, noise: Tensor, context: Tensor | None = None
) -> LogLikelihood:
    """Log-likelihood of `images` (integers `[B, C, H, W]`) dequantised with `noise` (uniform in [0, 1)).

    `context` is what the flow is told besides, if it is told anything.
    """
    y, preprocess = logit(images, noise)
    z, log_det = flow(y) if context is None else flow(y, context)
    prior = standard_normal(z)
    return LogLikelihood(prior + log_det + preprocess, prior, log_det, preprocess)


def bits_per_dim(log_likelihood: Tensor, dimensions: int) -> Tensor:
    """Negative log-likelihood in nats per image as bits per dimension, where dimensions = C * H * W."""
    return -log_likelihood / (dimensions * math.log(2))


def importance_bound(
    flow: RealNVP, logit: Logit, images: Tensor, noises: Iterable[Tensor], context: Tensor | None = None
) -> Tensor:
    """The K-sample bound `[B]` (nats) on log P(v), `log 1/K sum_k p(v + u_k)`; one `noise` per sample.

    On average it does not fall as K grows, and K = 1 is what the paper reports (Burda et al., 2016, theorem
    1).
    """
    samples = torch.stack([log_likelihood(flow, logit, images, noise, context).total for noise in noises])
    return torch.logsumexp(samples, dim=0) - math.log(len(samples))
