"""Fresh normalisation statistics for an evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from methods.realnvp.flow_norm import FlowNorm
from methods.realnvp.network import ShiftNorm2d


@contextmanager
def recalibrated(model: nn.Module, batches: Iterable[Tensor | tuple[Tensor | None, ...]]) -> Iterator[None]:
    """Evaluate `model` with moments averaged over `batches` of its inputs, or of tuples of them; all is
    restored on leaving.

    Moving moments lag behind weights that still change, which can ruin the likelihood in evaluation mode
    while that of training is fine. Inside the context the model is in evaluation mode; without batches its
    moments stay.
    """
    modes = {module: module.training for module in model.modules()}
    buffers = {buffer: buffer.clone() for norm in _norms(model) for buffer in norm.buffers()}
    try:
        recalibrate(model, batches)
        yield
    finally:
        for module, training in modes.items():
            module.training = training
        for buffer, saved in buffers.items():
            buffer.copy_(saved)


@torch.no_grad()
def recalibrate(model: nn.Module, batches: Iterable[Tensor | tuple[Tensor | None, ...]]) -> None:
    """Puts `model` in evaluation mode with moments averaged over `batches`, as `recalibrated`, for good."""
    model.eval()
    norms = _norms(model)
    settings = [(norm.momentum, norm.lag if isinstance(norm, FlowNorm) else None) for norm in norms]
    try:
        for norm in norms:
            norm.train()
            if isinstance(norm, FlowNorm):
                norm.lag = None
        for i, batch in enumerate(batches):
            for norm in norms:
                norm.momentum = 1 / (i + 1)
            model(*batch) if isinstance(batch, tuple) else model(batch)
    finally:
        for norm, (momentum, lag) in zip(norms, settings, strict=True):
            norm.eval()
            norm.momentum = momentum
            if isinstance(norm, FlowNorm):
                norm.lag = lag


def _norms(model: nn.Module) -> list[FlowNorm | ShiftNorm2d]:
    return [module for module in model.modules() if isinstance(module, FlowNorm | ShiftNorm2d)]
