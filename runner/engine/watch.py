"""`debug=nan`: which operation first made a number that is not finite, and the line that called it."""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from runner.engine.tree import tensors

UNFILLED = ("empty", "new_empty")
FILLING = ("full", "new_full", "fill", "masked_fill", "scalar_tensor", "lift_fresh")  # with a mask's infinity
FRAME = re.compile(r'File "(.*)", line (\d+)[^\n]*\n\s*(.*)')
NOT_THE_USERS = (os.path.dirname(torch.__file__), __file__)


class Watch(TorchDispatchMode):
    """Remembers the first operations since `clear` that made a NaN and an infinity of finite numbers."""

    def __init__(self) -> None:
        super().__init__()
        self._made: dict[str, str] = {}

    def clear(self) -> None:
        """Forgets what was seen: a new step begins."""
        self._made = {}

    @property
    def first(self) -> str:
        """Says which operation it was and which line called it; where an infinity came before the NaN, of
        both. Empty if there was none."""
        return "; ".join(self._made.values())

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        before = _kind((args, kwargs))
        result = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        kind = _kind(result)
        if kind is None or "NaN" in self._made or kind in self._made or before in ("NaN", kind):
            return result
        if name.startswith(UNFILLED):
            return result
        if kind == "NaN" or not name.startswith(FILLING):
            self._made[kind] = f"the first {kind} is made by {name}{_caller()}"
        return result


@contextmanager
def watching(watch: Watch | None) -> Iterator[None]:
    """Lets `watch`, if there is one, see every operation inside, forwards and backwards."""
    if watch is None:
        yield
        return
    with torch.autograd.set_detect_anomaly(True, check_nan=False), watch:  # anomaly mode notes the lines
        yield


def _kind(values: Any) -> str | None:
    """`NaN` or `infinity` if a tensor among `values` holds one, the former first."""
    found = [t for _, t in tensors(values) if t.is_floating_point() or t.is_complex()]
    if any(bool(t.isnan().any()) for t in found):
        return "NaN"
    return "infinity" if any(bool(t.isinf().any()) for t in found) else None


def _caller() -> str:
    """The innermost line outside of torch that runs now, or whose backward pass runs now."""
    node = torch._C._current_autograd_node()
    if node is None:
        frames = [(f.filename, f.lineno, f.line) for f in traceback.extract_stack()]
        return _innermost(frames, " in")
    noted: Sequence[str] = node.metadata.get("traceback_", ())  # type: ignore[attr-defined]
    return _innermost([m.groups() for m in map(FRAME.search, noted) if m], " in the backward pass of")


def _innermost(frames: Sequence[tuple[Any, ...]], how: str) -> str:
    for filename, line, code in reversed(frames):
        if not filename.startswith(NOT_THE_USERS):
            path = Path(filename)
            return f"{how} {path.parent.name}/{path.name}:{line}: {code}"
    return ""
