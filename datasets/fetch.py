"""What `run data fetch` and `run data verify` do."""

from __future__ import annotations

import dataclasses
from importlib import import_module
from pathlib import Path
from typing import Any

from datasets.download import obtain
from datasets.files import accepted, find, problem
from datasets.types import Access, DatasetEntry, RemoteFile


def remote_files(entry: DatasetEntry, config: Any) -> list[RemoteFile]:
    """The official files that `entry` needs with these settings; none for embedded sets and a person's own."""
    if entry.files is None:
        return []
    module, _, function = entry.files.partition(":")
    return list(getattr(import_module(module), function)(config))


def fetch(entry: DatasetEntry, config: Any, access: Access) -> list[Path]:
    """Fetches what is missing and checks everything; the paths. Raises `DataError` at the first file that fails."""
    allowed = dataclasses.replace(access, download=True)
    return [obtain(entry.name, file, allowed) for file in remote_files(entry, config)]


def verify(entry: DatasetEntry, config: Any, access: Access) -> list[tuple[str, str]]:
    """`(file, status)` for each official file, read anew; a status is `ok`, `missing`, `unknown` or what is wrong."""
    return [(file.name, _status(entry.name, file, access)) for file in remote_files(entry, config)]


def _status(name: str, file: RemoteFile, access: Access) -> str:
    path = find(name, file, access)
    if path is None:
        return f"missing: {file.url or file.page}, {file.checksum}"
    if wrong := problem(path, file):
        return f"wrong: {path}: {wrong}"
    published = path.name != Path(file.unpacked or "").name and (accepted(file) or file.content)
    return "ok" if published else "unknown: no checksum is published for it unpacked"
