"""Reaching data: the `data` node of the configuration as the data sets see it."""

from __future__ import annotations

from pathlib import Path

from datasets.types import Access
from runner.settings import RootSettings


def access(root: RootSettings) -> Access:
    """Where data may be read, fetched and cached."""
    data = root.data
    where = None if data.root is None else Path(data.root).expanduser()
    return Access(where, data.mirror, Path(data.cache).expanduser(), data.download, data.workers)
