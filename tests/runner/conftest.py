"""The installed command, as a user calls it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment with one thread, a cache of its own and no terminal."""
    home = tmp_path_factory.mktemp("home")
    names = {"OMP_NUM_THREADS": "1", "HOME": str(home), "COLUMNS": "120"}
    return {k: v for k, v in os.environ.items() if k != "HYDRA_FULL_ERROR"} | names


@pytest.fixture(scope="session")
def run(environment: dict[str, str]) -> Run:
    """`run(*words, cwd=...)` calls the console script and returns what it printed."""
    command = str(Path(sys.executable).parent / "run")

    def call(*words: str, cwd: Path | None = None, **more: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [command, *words],
            cwd=cwd,
            env={**environment, **more},
            capture_output=True,
            text=True,
            timeout=300,
            stdin=subprocess.DEVNULL,
        )

    return call
