"""What `run data fetch` and `run data verify` do."""

from __future__ import annotations

import dataclasses
from importlib import import_module
from pathlib import Path
from typing import Any

from datasets.download import missing, obtain
from datasets.files import accepted, find, is_unpacked, problem
from datasets.types import Access, DataError, DatasetEntry, RemoteFile


def remote_files(entry: DatasetEntry, config: Any) -> list[RemoteFile]:
    """The official files that `entry` needs with these settings; none if nothing is fetched."""
    if entry.files is None:
        return []
    module, _, function = entry.files.partition(":")
    return list(getattr(import_module(module), function)(config))


def _asked_for(entry: DatasetEntry, config: Any, access: Access) -> list[RemoteFile]:
    """Without those that may be lacking and are."""
    return [
        file
        for file in remote_files(entry, config)
        if not file.optional or find(entry.name, file, access) is not None
    ]


def refuse_missing(entry: DatasetEntry, config: Any, access: Access) -> None:
    """Raises `DataError` for an official file that is not there and may not be fetched; reads none."""
    for file in _asked_for(entry, config, access):
        if find(entry.name, file, access) is None and not access.download:
            raise DataError(missing(entry.name, file, access, "data.download=false forbids fetching it"))


def fetch(entry: DatasetEntry, config: Any, access: Access) -> list[Path]:
    """Fetches what is missing and checks everything; the paths. Raises `DataError` at the first failure."""
    allowed = dataclasses.replace(access, download=True)
    return [obtain(entry.name, file, allowed) for file in _asked_for(entry, config, allowed)]


def verify(entry: DatasetEntry, config: Any, access: Access) -> list[tuple[str, str]]:
    """`(file, status)` of each official file, read anew; `ok`, or a line that begins with what is wrong."""
    return [(file.name, _status(entry.name, file, access)) for file in _asked_for(entry, config, access)]


def _status(name: str, file: RemoteFile, access: Access) -> str:
    path = find(name, file, access)
    if path is None:
        return f"missing: {file.url or file.page}, {file.checksum}"
    if wrong := problem(path, file):
        return f"wrong: {path}: {wrong}"
    if is_unpacked(path, file) or not (accepted(file) or file.content):
        return "unknown: no checksum is published for it"
    return "ok"
