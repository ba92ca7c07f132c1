"""A trained flow as other methods see it."""

from __future__ import annotations

import torch
from torch import Tensor

from datasets.types import Images
from methods.realnvp.density import log_likelihood
from methods.realnvp.logit import Logit
from methods.realnvp.multiscale import RealNVP


class Likelihood:
    """A `Density` of images in [0, 1], which need not be whole grey levels; each lies in the middle of its
    cell, where dequantisation would draw a place.

    Arguments:
        flow: whose weights take no gradient from here on.

    Attributes:
        shape: `(C, H, W)` of its images.
    """

    def __init__(self, flow: RealNVP, logit: Logit, data: Images) -> None:
        self.flow, self.logit, self.shape = flow.requires_grad_(False), logit, data.shape

    def log_density(self, images: Tensor) -> Tensor:
        """Images, float `[B, C, H, W]` in [0, 1], to log-densities `[B]` in nats, in units of grey levels."""
        levels = images * (self.logit.levels - 1)
        return log_likelihood(self.flow, self.logit, levels, torch.full_like(levels, 0.5)).total
