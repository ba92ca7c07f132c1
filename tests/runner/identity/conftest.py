"""A run to compare with, and copies of the toys."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.identity.parts import parts
from tests.runner.identity.runs import PLAIN, composed, copy_toys


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    return parts(composed(*PLAIN))


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Packages that a test makes are forgotten after it."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in [name for name in sys.modules if name.startswith("copied_")]:
        del sys.modules[name]


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    """A copy of the small flow and of its points."""
    return copy_toys(tmp_path / "mine", "flow", "points")
