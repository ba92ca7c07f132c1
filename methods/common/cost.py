"""What a call costs: seconds, and megabytes of the allocator."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from unittest import mock

import torch


def seconds(call: Callable[[], object], repeats: int = 7) -> float:
    """The shortest of some calls, after one that does not count."""
    found = []
    for _ in range(repeats + 1):
        _wait()
        began = time.perf_counter()
        call()
        _wait()
        found.append(time.perf_counter() - began)
    return min(found[1:])


def gradients_taken(call: Callable[[], object]) -> int:
    """How often `call` asks autograd for gradients."""
    taken = 0

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **named: Any) -> Any:
            nonlocal taken
            taken += 1
            return function(*arguments, **named)

        return wrapped

    with (
        mock.patch("torch.autograd.grad", counted(torch.autograd.grad)),
        mock.patch("torch.autograd.backward", counted(torch.autograd.backward)),
    ):
        call()
    return taken


def _wait() -> None:
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.synchronize()


def peak_mb(call: Callable[[], object]) -> float:
    """Megabytes that the CPU's allocator held at the most, above what it held before; of a second call.

    The hooks for saved tensors would not do: torch.func refuses them.
    """
    call()
    kinds = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=kinds, profile_memory=True) as trace:
        call()
    held = most = 0
    assert trace.profiler is not None
    assert trace.profiler.kineto_results is not None
    for event in trace.profiler.kineto_results.events():
        if event.name() == "[memory]" and event.device_type() == torch.autograd.DeviceType.CPU:
            held += event.nbytes()
            most = max(most, held)
    return most / 1e6
