"""What tests anywhere may ask for."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture
def without_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with a GPU behaves as if it had none; in this process only."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
