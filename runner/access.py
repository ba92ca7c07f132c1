"""Reaching data: the `data` node of the configuration as the data sets see it."""

from __future__ import annotations

import os
from pathlib import Path

from datasets.types import Access
from runner.errors import ConfigError, nearest
from runner.settings import RootSettings


def access(root: RootSettings) -> Access:
    """Where data may be read, fetched and cached; raises `ConfigError` if `data.root` is no folder."""
    data = root.data
    where = None if data.root is None else Path(data.root).expanduser()
    if where is not None and not where.is_dir():
        readable = where.parent.is_dir() and os.access(where.parent, os.R_OK)
        beside = os.listdir(where.parent) if readable else []
        raise ConfigError(
            f"data.root={where}: there is no such folder{nearest(where.name, beside, only_close=True)}"
        )
    return Access(where, data.mirror, Path(data.cache).expanduser(), data.download, data.workers)
