"""Numbers that are not finite, found and named; and proof that looking at a model did not change it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from runner.engine.tree import tensors
from runner.errors import NotFinite


def modules_of(tracked: Mapping[str, Any]) -> dict[str, nn.Module]:
    """The modules among what a stage tracks."""
    return {name: value for name, value in tracked.items() if isinstance(value, nn.Module)}


def state_tensors(tracked: Mapping[str, Any], gradients: bool = False) -> Iterator[tuple[str, Tensor]]:
    """Parameters (after their gradients, if asked for) and buffers of the tracked modules, named."""
    for name, module in modules_of(tracked).items():
        for key, parameter in module.named_parameters():
            if gradients and parameter.grad is not None:
                yield f"gradient of {name}.{key}", parameter.grad
            yield f"parameter {name}.{key}", parameter.detach()
        for key, buffer in module.named_buffers():
            yield f"buffer {name}.{key}", buffer


def is_finite(tensor: Tensor) -> bool:
    """Whether a tensor of any type holds only finite numbers."""
    return not (tensor.is_floating_point() or tensor.is_complex()) or bool(torch.isfinite(tensor).all())


def first_bad(tracked: Mapping[str, Any], batch: Any = None, metrics: Mapping[str, Any] | None = None) -> str:
    """Names the first tensor that is not finite, causes first: batch, parameters and gradients, metrics."""
    named = [(f"batch {name}", tensor) for name, tensor in tensors(batch)] if batch is not None else []
    for name, tensor in [*named, *state_tensors(tracked, gradients=True)]:
        if not is_finite(tensor):
            return f"first bad tensor: {name}"
    for name, value in (metrics or {}).items():
        if not is_finite(torch.as_tensor(value)):
            return f"first bad tensor: {name}, computed from a finite batch and finite parameters"
    return "first bad tensor: the loss; batch and parameters are finite"


def bad_state(tracked: Mapping[str, Any]) -> str | None:
    """Names the first parameter or buffer that is not finite; None if all are."""
    return next((name for name, tensor in state_tensors(tracked) if not is_finite(tensor)), None)


def check_state(tracked: Mapping[str, Any], step: int) -> None:
    """Raises `NotFinite` if a parameter or buffer is not finite, so that no checkpoint is made of it."""
    if bad := bad_state(tracked):
        raise NotFinite(f"step {step}: the update left numbers that are not finite; first bad tensor: {bad}")


def fingerprints(tracked: Mapping[str, Any]) -> dict[str, int]:
    """A checksum of every parameter and buffer, on the tensor's own device."""
    return {name: _sum_of_bits(tensor) for name, tensor in state_tensors(tracked)}


def _sum_of_bits(tensor: Tensor) -> int:
    flat = tensor.detach().contiguous().reshape(-1)
    if flat.numel() == 0:
        return 0
    size = flat.element_size()
    words = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}.get(size, torch.uint8)
    return int(flat.view(words).sum(dtype=torch.int64))


@contextmanager
def unchanged(tracked: Mapping[str, Any], what: str) -> Iterator[None]:
    """Restores the modules' modes; raises RuntimeError if a parameter or buffer was changed inside."""
    modes = [(m, m.training) for module in modules_of(tracked).values() for m in module.modules()]
    before = fingerprints(tracked)
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
    changed = [name for name, value in fingerprints(tracked).items() if before.get(name) != value]
    if changed:
        raise RuntimeError(
            f"{what} changed {', '.join(changed[:3])}; looking must not change what is learned"
        )
