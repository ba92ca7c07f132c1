"""The most memory that one run needed, and not what an earlier one in the same process did."""

from __future__ import annotations

import sys

import pytest
import torch

from runner import memory

MEGABYTES = 400


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux begins anew")
@pytest.mark.skipif(torch.cuda.is_available(), reason="the accelerator's memory counts there")
def test_an_earlier_peak_is_forgotten() -> None:
    memory.forget_peak()
    before = memory.peak()
    held = torch.ones(MEGABYTES * 2**18)
    assert memory.peak() > before + 0.9 * MEGABYTES
    del held
    memory.forget_peak()
    assert memory.peak() < before + 0.5 * MEGABYTES
