"""Batch moments at evaluation: those of each batch, or of the population instead of moving averages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from methods.common.norm.batch import BatchNorm

TRACKING = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, BatchNorm)


def tracking(model: nn.Module) -> list[Any]:
    """The layers of a model that keep running moments."""
    return [m for m in model.modules() if isinstance(m, TRACKING) and m.track_running_stats]


@contextmanager
def kept(model: nn.Module) -> Iterator[None]:
    """Modes and running moments may be changed inside; all is as before on leaving."""
    modes = {module: module.training for module in model.modules()}
    saved = [(buffer, buffer.clone()) for norm in tracking(model) for buffer in norm.buffers()]
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training
        with torch.no_grad():
            for buffer, old in saved:
                buffer.copy_(old)


@contextmanager
def batch_moments(model: nn.Module) -> Iterator[None]:
    """`model` in evaluation mode but for its batch normalisation, which uses each batch's moments.

    The running ones stand still: batch renormalisation reads them, and what it did to one batch would depend
    on those before.
    """
    norms = tracking(model)
    momenta = [norm.momentum for norm in norms]
    with kept(model):
        model.eval()
        for norm in norms:
            norm.train()
            norm.momentum = 0.0
        try:
            yield
        finally:
            for norm, momentum in zip(norms, momenta, strict=True):
                norm.momentum = momentum


@contextmanager
def recalibrated(model: nn.Module, batches: Iterable[Tensor]) -> Iterator[None]:
    """`model` in evaluation mode with running moments averaged over `batches` of its inputs (Ioffe and
    Szegedy, algorithm 2, lines 8 to 12).

    The variance is the average of the batches' unbiased ones, as the paper has it. Without batches the moving
    averages stay.
    """
    with kept(model):
        recalibrate(model, batches)
        yield


@torch.no_grad()
def recalibrate(model: nn.Module, batches: Iterable[Tensor]) -> None:
    """Puts `model` in evaluation mode with running moments averaged over `batches`, as `recalibrated`."""
    model.eval()
    norms = tracking(model)
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
