"""Device, threads and numerics of a process."""

from __future__ import annotations

import ctypes
import platform
from typing import Any

import torch

from runner.cores import cores, told
from runner.errors import ConfigError

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's `mallopt`, from its `malloc.h`."""


def set_threads(threads: int | None) -> int:
    """Sets torch's threads and returns their number; where None, `OMP_NUM_THREADS` or the cores."""
    count = threads or told() or cores()
    torch.set_num_threads(count)
    return count


def keep_freed_memory() -> bool:
    """Has glibc keep what is freed for what is allocated next; returns whether it does (elsewhere, False).

    By default every activation above a few MB goes back to the system and its pages come anew, zeroed, one
    fault each. Real NVP on 32 px pictures, batch 16, had 11,600 faults a step, 5 % of its time, and none so.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if platform.libc_ver()[0] == "glibc" else None
    if mallopt is None:
        return False
    # 32 MB is the most that glibc takes for the first; larger blocks still come from, and go to, the system.
    return bool(mallopt(M_MMAP_THRESHOLD, 32 * 2**20) and mallopt(M_TRIM_THRESHOLD, 2**31 - 1))


def pick(name: str, rank: int | None = None) -> torch.device:
    """The device called `name`; raises `ConfigError` if this machine has none such.

    `rank` is the number of this process among those of its team on this machine, of which each has a device.
    """
    if rank is not None and ":" in name:
        raise ConfigError(f"device={name} is one device; device=cuda gives each process its own")
    asked = name
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if rank is not None and (name == "cuda" or (name == "auto" and cuda)):
        name = f"cuda:{rank}"
    if name == "auto":
        return torch.device("cuda" if cuda else "mps" if mps else "cpu")
    kind, _, number = name.partition(":")
    if kind == "cuda" and not cuda:
        raise ConfigError(
            f"device={asked}: CUDA is not available here; device=cpu or device=auto runs without"
        )
    if kind == "cuda" and number and int(number) >= torch.cuda.device_count():
        raise ConfigError(
            f"device={asked}: there are {torch.cuda.device_count()} CUDA devices, counted from 0"
        )
    if kind == "mps" and not mps:
        raise ConfigError(
            "device=mps: Apple's Metal is not available here; device=cpu or device=auto runs without"
        )
    return torch.device(name)


def numerics(
    device: torch.device, precision: str, compiled: bool, threads: int, devices: int = 1
) -> dict[str, Any]:
    """What changes the bits of a result beside the settings: two runs that agree in it can agree bit for
    bit."""
    accelerator = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {
        "torch": torch.__version__,
        "device": device.type,
        "accelerator": accelerator,
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "machine": platform.machine(),
        "threads": threads,
        "precision": precision,
        "compile": compiled,
        "devices": devices,
    }


def prepare(device: torch.device, compiled: bool) -> None:
    """Settings of torch that every run has in common."""
    if compiled:
        import torch._inductor.config as inductor

        inductor.fallback_random = True  # otherwise compiled code draws other numbers than plain code
    if device.type == "cpu":
        keep_freed_memory()
    if device.type == "cuda":
        torch.cuda.init()
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
    if (device.type == "cuda") != torch.are_deterministic_algorithms_enabled():  # to ask imports the compiler
        # Accelerator operations without a deterministic form warn and run; there, equality after a resume is
        # not promised.
        torch.use_deterministic_algorithms(device.type == "cuda", warn_only=True)
