"""Device, threads and memory of a process."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest
import torch

from runner import device
from runner.errors import ConfigError

PAGES = """
import resource, sys
import torch
from runner import device

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def work():
    return [torch.zeros(2**20) for _ in range(8)]  # 4 MB each, freed on return

torch.set_num_threads(1)
if "keep" in sys.argv:
    device.prepare(torch.device("cpu"), compiled=False)
for _ in range(5):
    work()
before = faults()
for _ in range(20):
    work()
print((faults() - before) / 20)
"""


def page_faults(*words: str) -> float:
    command = [sys.executable, "-c", PAGES, *words]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator is meant")
def test_freed_memory_is_used_again() -> None:
    plain, kept = page_faults(), page_faults("keep")
    assert plain > 1000  # 32 MB are 8,192 pages: this test would see a machine where nothing needs mending
    assert kept < plain / 5


def test_a_device_that_is_not_there_is_refused() -> None:
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="CUDA is not available here"):
            device.pick("cuda:0")
    assert device.pick("cpu") == torch.device("cpu")


def test_threads_are_set_and_returned() -> None:
    before = torch.get_num_threads()
    try:
        assert device.set_threads(1) == torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
