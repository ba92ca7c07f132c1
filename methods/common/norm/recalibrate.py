"""Moments of the population instead of moving averages (Ioffe and Szegedy, algorithm 2, lines 8 to 12)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from methods.common.norm.batch import BatchNorm

TRACKING = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, BatchNorm)


@contextmanager
def recalibrated(model: nn.Module, batches: Iterable[Tensor]) -> Iterator[None]:
    """`model` in evaluation mode, its running moments the averages over `batches` of its inputs; all is as
    before on leaving.

    The variance is the average of the batches' unbiased ones, as the paper has it.
    """
    norms = [module for module in model.modules() if isinstance(module, TRACKING)]
    modes = {module: module.training for module in model.modules()}
    saved = [(buffer, buffer.clone()) for norm in norms for buffer in norm.buffers()]
    try:
        model.eval()
        _average(model, norms, batches)
        yield
    finally:
        for module, training in modes.items():
            module.training = training
        for buffer, old in saved:
            buffer.copy_(old)


@torch.no_grad()
def _average(model: nn.Module, norms: list[Any], batches: Iterable[Tensor]) -> None:
    momenta = [norm.momentum for norm in norms]
    try:
        for norm in norms:
            norm.train()
        for i, batch in enumerate(batches):
            for norm in norms:
                norm.momentum = 1 / (i + 1)
            model(batch)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.eval()
            norm.momentum = momentum
