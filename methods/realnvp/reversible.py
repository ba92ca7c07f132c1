"""Backpropagation through couplings that keeps no activations: inputs are computed anew from outputs (Gomez
et al., The Reversible Residual Network, NeurIPS 2017).

A coupling's network is asked once more in the backward pass. The half that it reads is not changed by the
coupling, so one answer serves both to undo the coupling and to differentiate it: a step costs four passes
instead of three.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from methods.realnvp.coupling import Coupling
from methods.realnvp.flow_norm import FlowNorm, Moments
from methods.realnvp.network import ShiftNorm2d


@dataclass(frozen=True)
class Noted:
    """What is needed to do a layer's forward pass again.

    Attributes:
        moments: those of its flow batch normalisation, if it normalised by its batch.
        random: state of the generator before it, if it draws.
    """

    moments: Moments | None
    random: Tensor | None


def chain(x: Tensor, layers: Sequence[Coupling], context: Tensor | None) -> tuple[Tensor, Tensor]:
    """The image and log-determinant of `x` under `layers` one after another, as plain calls give them."""
    parameters = [p for layer in layers for p in layer.parameters()]
    found: tuple[Tensor, Tensor] = _Chain.apply(layers, context, x, *parameters)
    return found


class _Chain(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, layers: Sequence[Coupling], context: Tensor | None, x: Tensor, *parameters: Tensor
    ) -> tuple[Tensor, Tensor]:
        log_det, notes = x.new_zeros(x.shape[0]), []
        for layer in layers:
            random = _generator_state(x.device) if _draws(layer) else None
            x, more = layer(x, context)
            log_det = log_det + more
            notes.append(Noted(None if layer.norm is None else layer.norm.last, random))
        ctx.layers, ctx.notes, ctx.context, ctx.autocast = layers, notes, context, _autocast(x.device)
        ctx.save_for_backward(x)
        return x, log_det

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, of_log_det: Tensor) -> Any:
        (y,) = ctx.saved_tensors
        found: dict[Tensor, Tensor] = {}
        for layer, noted in zip(reversed(ctx.layers), reversed(ctx.notes), strict=True):
            with torch.enable_grad(), replaying(layer, noted, y.device), ctx.autocast():
                y, gradient, own = _back(layer, ctx.context, noted, y, gradient, of_log_det)
            found |= dict(zip(layer.parameters(), own, strict=True))
        return None, None, gradient, *(found[p] for layer in ctx.layers for p in layer.parameters())


def _back(
    layer: Coupling, context: Tensor | None, noted: Noted, y: Tensor, gradient: Tensor, of_log_det: Tensor
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """The input of a layer, the gradient there, and those of its parameters."""
    kept = layer.kept(y.detach()).requires_grad_()
    raw = layer.asked(kept, context)
    with torch.no_grad():
        x = layer.undone(y.detach(), raw.detach(), noted.moments)
    x.requires_grad_()
    again, log_det = layer.done(x, raw)
    parameters = list(layer.parameters())
    outputs, given = [again], [gradient]
    if log_det.requires_grad:  # that of an additive coupling is 0
        outputs, given = [again, log_det], [gradient, of_log_det]
    to_input, to_kept, *own = torch.autograd.grad(outputs, [x, kept, *parameters], given, allow_unused=True)
    assert to_input is not None
    total = to_input if to_kept is None else to_input + layer.placed(to_kept, x)
    return x.detach(), total, own


@contextmanager
def replaying(layer: Coupling, noted: Noted, device: torch.device) -> Iterator[None]:
    """Has the layer draw what it drew, and leaves its running moments alone, which had their turn."""
    norms = [module for module in layer.modules() if isinstance(module, FlowNorm | ShiftNorm2d)]
    for norm in norms:
        norm.replays = True
    try:
        with _drawing_again(noted.random, device):
            yield
    finally:
        for norm in norms:
            norm.replays = False


def _draws(layer: nn.Module) -> bool:
    return any(isinstance(m, nn.Dropout) and m.p > 0 and m.training for m in layer.modules())


def _generator_state(device: torch.device) -> Tensor:
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


@contextmanager
def _drawing_again(state: Tensor | None, device: torch.device) -> Iterator[None]:
    if state is None:
        yield
        return
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        if device.type == "cuda":
            torch.cuda.set_rng_state(state, device)
        else:
            torch.set_rng_state(state)
        yield


def _autocast(device: torch.device) -> Any:
    """Makes a context with the arithmetic of now."""
    if not torch.is_autocast_enabled(device.type):
        return nullcontext
    dtype = torch.get_autocast_dtype(device.type)

    def again() -> AbstractContextManager[Any]:
        return torch.autocast(device.type, dtype=dtype)

    return again
