"""Device, threads and memory of a process."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from runner import cores, device
from runner.errors import ConfigError

BLOCKS = """
import ctypes, sys
import torch
from runner import cores, device

class Info(ctypes.Structure):  # of glibc's malloc.h
    _fields_ = [(name, ctypes.c_int) for name in "arena ordblks smblks hblks a b c d e f".split()]

mallinfo = ctypes.CDLL(None).mallinfo
mallinfo.restype = Info
if "keep" in sys.argv:
    device.prepare(torch.device("cpu"), compiled=False)
before = mallinfo().hblks
held = torch.zeros(2**22)  # 16 MB
print(mallinfo().hblks - before)
"""


def blocks_from_the_system(*words: str) -> int:
    """How many blocks of its own the system gave for a large tensor, which go back to it when freed."""
    command = [sys.executable, "-c", BLOCKS, *words]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator is meant")
def test_large_tensors_come_from_memory_that_is_kept() -> None:
    assert blocks_from_the_system() == 1
    assert blocks_from_the_system("keep") == 0


def test_threads_follow_the_environment_and_a_containers_share(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = torch.get_num_threads()
    share = tmp_path / "cpu.max"
    monkeypatch.setattr(cores, "CPU_SHARE", share)
    try:
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        assert device.set_threads(None) == 1
        assert device.set_threads(2) == 2
        monkeypatch.delenv("OMP_NUM_THREADS")
        share.write_text("100000 100000\n")
        assert device.set_threads(None) == 1
        share.write_text("max 100000\n")
        assert device.set_threads(None) >= 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.usefixtures("without_cuda")
def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match="CUDA is not available here"):
        device.pick("cuda:0")
    assert device.pick("cpu") == torch.device("cpu")


def test_threads_are_set_and_returned() -> None:
    before = torch.get_num_threads()
    try:
        assert device.set_threads(1) == torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
