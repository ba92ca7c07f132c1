"""What identifies files, wherever they lie."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

MISSING = "missing"
SMALL = 256 * 10**6
"""Bytes up to which files are known by what they hold; larger ones by their sizes and times."""


def fingerprint(place: Path) -> str:
    """What identifies a file or the files below a folder, wherever it lies; `missing` if nothing is there.

    Up to `SMALL` bytes, that is names and contents, so that a copy has the same. More are not read: sizes and
    times of change stand in for what they hold. Hidden files do not count.
    """
    files = _files(place)
    if not files:
        return MISSING
    with suppress(OSError):  # what cannot be read is for the run to say
        if sum(size for _, size, _ in files) < SMALL:
            return _content(str(place), files)
    return f"times:{hashlib.sha256(json.dumps(files).encode()).hexdigest()}"


File = tuple[str, int, int]
"""Name below a folder, size and time of change in nanoseconds."""


def _files(place: Path) -> tuple[File, ...]:
    names = sorted(_below(place)) if place.is_dir() else [""]
    return tuple(file for name in names for file in _state(place, name))


def _below(place: Path) -> Iterator[str]:
    """Names of the files below a folder; links to folders are followed once, as the loaders do."""
    seen: set[str] = set()
    for home, below, files in os.walk(place, followlinks=True):
        if (real := os.path.realpath(home)) in seen:
            below.clear()
            continue
        seen.add(real)
        below[:] = sorted(name for name in below if name[0] != ".")  # of two links the first is followed
        inside = os.path.relpath(home, place)
        yield from (os.path.normpath(f"{inside}/{name}") for name in files if name[0] != ".")


def _state(place: Path, name: str) -> Iterator[File]:
    """Nothing for a link that leads nowhere, and for a pipe, at which reading would wait."""
    try:
        found = os.stat(os.path.join(place, name) if name else place)
    except OSError:
        return
    if stat.S_ISREG(found.st_mode):
        yield name, found.st_size, found.st_mtime_ns


@lru_cache(maxsize=64)
def _content(place: str, files: tuple[File, ...]) -> str:
    state = hashlib.sha256()
    for name, size, _ in files:
        with open(os.path.join(place, name) if name else place, "rb") as stream:
            state.update(f"{name}\0{size}\0{hashlib.file_digest(stream, 'sha256').hexdigest()}\n".encode())
    return f"sha256:{state.hexdigest()}"
