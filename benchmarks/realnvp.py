"""Time of a Real NVP training step against the straightforward formulation in the tests.

    python -m benchmarks.realnvp [--repeats 15] [--compile]

Both models have the same weights, take the same batch and do forward, backward, clipping and a fused Adam step. The
two take turns within one process on one thread; printed are medians and their ratio (above 1: ours is faster).
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from omegaconf import OmegaConf
from torch import Tensor, nn

from methods.realnvp.config import RealNVPConfig
from methods.realnvp.density import bits_per_dim, log_likelihood
from methods.realnvp.logit import Logit
from methods.realnvp.multiscale import RealNVP
from tests.methods.realnvp.reference import Reference, load, objective

# name: images (C, H, W), batch, and the size of the flow
SIZES = {
    "digits": ((1, 8, 8), 64, {"n_scale": 2, "blocks": 1, "width": 32}),
    "mnist": ((1, 28, 28), 32, {"n_scale": 2, "blocks": 2, "width": 16}),
    "colour 32": ((3, 32, 32), 16, {"n_scale": 2, "blocks": 2, "width": 32}),
    "paper's width": ((3, 32, 32), 4, {"n_scale": 2, "blocks": 4, "width": 64}),
}
LEVELS = 256
