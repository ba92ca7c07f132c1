"""Decoded images kept below `data.cache` as `.npy` files, written whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from datasets.files import atomic, locked, writing


def cached(path: Path, shape: tuple[int, ...], chunks: Callable[[], Iterable[np.ndarray]]) -> Path:
    """`path`, an uint8 `.npy` `[N, *shape]`, made of `chunks()` by the first process that needs it.

    Raises `DataError` if it cannot be written.
    """
    with writing(path), locked(path):
        if not path.is_file():
            with atomic(path) as temporary:
                _write(temporary, shape, chunks())
    return path


def _write(path: Path, shape: tuple[int, ...], chunks: Iterable[np.ndarray]) -> None:
    # Plain writes: a full disk under a memory map kills the process instead of raising. NumPy's header keeps
    # room for the first axis to grow, so it is written again once the number of images is known.
    with path.open("wb") as out:
        start, count = _header(out, 0, shape), 0
        for chunk in chunks:
            out.write(np.ascontiguousarray(chunk, np.uint8).data)
            count += len(chunk)
        out.seek(0)
        if _header(out, count, shape) != start:
            raise RuntimeError("numpy changed the length of an array's header")


def _header(out: BinaryIO, count: int, shape: tuple[int, ...]) -> int:
    description: dict[str, Any] = {"descr": "|u1", "fortran_order": False, "shape": (count, *shape)}
    np.lib.format.write_array_header_1_0(out, description)
    return out.tell()
