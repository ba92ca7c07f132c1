"""The operation that first made a number that is not finite, and the line that called it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from runner.engine.watch import Watch, watching


def first(work: Callable[[Tensor], object]) -> str:
    """What a watch says of `work` on one, zero and minus one."""
    watch = Watch()
    with watching(watch):
        work(torch.tensor([1.0, 0.0, -1.0], requires_grad=True))
    return watch.first


def root(x: Tensor) -> Tensor:
    y = x.log()  # the line to find: -inf and NaN
    return (y * 2).sum()


def masked(x: Tensor) -> Tensor:
    bias = torch.zeros(3).masked_fill(torch.tensor([True, False, False]), -torch.inf)
    return torch.softmax(x + bias, 0).sum()


def overflow(x: Tensor) -> Tensor:
    return torch.exp(100 * x).square().sum()


def masked_then_nan(x: Tensor) -> Tensor:
    return masked(x) + (x - 5).sqrt().sum()


def steep(x: Tensor) -> None:
    torch.nn.functional.linear((0 * x).sqrt(), torch.ones(1, 3)).sum().backward()


@pytest.mark.parametrize(
    ("work", "kind", "operation", "code"),
    [
        (root, "NaN", "log", "in engine/test_watch.py:{line}: y = x.log()"),
        (overflow, "infinity", "exp", "return torch.exp(100 * x).square().sum()"),
        (masked_then_nan, "NaN", "sqrt", "return masked(x) + (x - 5).sqrt().sum()"),
        (steep, "infinity", "div", "in the backward pass of engine/test_watch.py:{line}: torch.nn"),
    ],
)
def test_the_operation_and_its_line(
    work: Callable[[Tensor], object], kind: str, operation: str, code: str
) -> None:
    said = first(work)
    assert said.startswith(f"the first {kind} is made by {operation} in ")
    assert code.format(line=work.__code__.co_firstlineno + 1) in said


def test_an_infinity_before_the_nan_is_named_too() -> None:
    assert "; the first NaN is made by mul in the backward pass of engine/test_watch.py" in first(steep)
    assert "infinity" not in first(masked_then_nan)


def test_finite_work_and_masks_are_not_reported() -> None:
    assert first(lambda x: x.exp().sum().backward()) == ""
    assert "masked_fill" not in first(masked)
    assert first(lambda x: torch.empty(1000).fill_(1.0) + x.sum()) == ""


def test_memory_that_is_not_yet_filled_is_not_reported() -> None:
    watch = Watch()
    with watching(watch):
        for _ in range(20):
            with torch.utils._python_dispatch._disable_current_modes():
                torch.full((4096,), torch.nan)
            torch.empty(4096).fill_(1.0)
    assert watch.first == ""


def test_what_is_handed_on_is_not_made() -> None:
    watch, bad = Watch(), torch.tensor([torch.nan])
    with watching(watch):
        nn.Linear(1, 1)(bad).sum().backward()
    assert watch.first == ""


def test_clear_forgets() -> None:
    watch = Watch()
    with watching(watch):
        torch.zeros(1).log()
        assert watch.first
        watch.clear()
        assert watch.first == ""


def test_nothing_is_watched_outside() -> None:
    watch = Watch()
    with watching(watch):
        pass
    with watching(None):
        torch.zeros(1).log()
        assert not torch.is_anomaly_enabled()
    assert watch.first == ""
