"""How a sweep's jobs are run: which engine, how many at a time, and each one's share of cores and devices."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any

from runner.compose import Composed
from runner.cores import cores, told
from runner.errors import ConfigError
from runner.settings import RootSettings
from runner.signals import StopRequest
from runner.sweep import engines
from runner.sweep.settings import (
    LauncherSettings,
    LocalSettings,
    ProcessSettings,
    SlurmSettings,
    StockSettings,
    SweepSettings,
    launcher_settings,
    sweep_settings,
)

STOCK = "hydra/launcher="
DEVICE = re.compile(r"[0-9]+|(GPU|MIG)-\S+")
"""What of `CUDA_VISIBLE_DEVICES` names a device; -1 and the like name none."""
NVIDIA = Path("/proc/driver/nvidia/gpus")


@dataclass(frozen=True)
class Conduct:
    """How the jobs of one sweep are run.

    Attributes:
        launcher, sweep: the settings.
        words: the words of the command that said so.
        capacity: how many jobs run at a time.
        threads: threads of a job that does not say how many.
        said: threads that all jobs say they want; None where they do not say.
        shares: CUDA devices for each of the jobs that run at a time; None where they are not divided.
        cache: folder for what passes between the sweep and its jobs on a cluster.
        data: words about where data lies, for the jobs of a resumed sweep.
    """

    launcher: LauncherSettings
    sweep: SweepSettings
    words: tuple[str, ...]
    capacity: int
    threads: int | None
    shares: tuple[str, ...] | None
    cache: Path
    data: tuple[str, ...] = ()
    said: int | None = None

    @classmethod
    def of(cls, nodes: Mapping[str, Any], words: Sequence[str], root: RootSettings, jobs: int) -> Conduct:
        """From the nodes `launcher` and `sweep`, for `jobs` jobs like `root`; raises `ConfigError`."""
        settings = launcher_settings(nodes["launcher"])
        stock = [word for word in words if word.startswith(STOCK)]
        if stock and any(word.startswith("launcher=") for word in words):
            raise ConfigError(
                f"{stock[-1]} and launcher= both say what starts the jobs; leave one of them out"
            )
        if stock:
            name = stock[-1].removeprefix(STOCK)
            settings = LocalSettings("local") if name == "basic" else StockSettings(name)
        elif isinstance(settings, ProcessSettings) and settings.name == "auto":
            settings = LocalSettings("local") if jobs == 1 else replace(settings, name="process")
        capacity, threads, shares = 1, None, None
        if isinstance(settings, ProcessSettings):
            capacity, threads, shares = _divided(settings, root, jobs)
        elif isinstance(settings, SlurmSettings):
            capacity, threads = jobs, settings.cpus
        elif isinstance(settings, StockSettings):
            capacity = jobs
        return cls(
            settings,
            sweep_settings(nodes["sweep"]),
            tuple(words),
            capacity,
            threads,
            shares,
            Path(root.data.cache),
            said=root.threads,
        )

    def announced(self, jobs: int) -> str:
        """What is about to run, and how."""
        what = f"{jobs} job{'s' if jobs != 1 else ''} by launcher={self.launcher.name}"
        divided = isinstance(self.launcher, ProcessSettings) and jobs > 1
        at_a_time = f", {min(self.capacity, jobs)} at a time" if divided else ""
        count = self.said or self.threads
        threads = f", {count} thread{'s' if count != 1 else ''} each" if count else ""
        return f"{what}{at_a_time}{threads}"

    @property
    def limit(self) -> float | None:
        """Seconds that an attempt may take."""
        minutes = getattr(self.launcher, "timeout_minutes", None)
        return None if minutes is None else 60 * minutes

    def shared(self, composed: Composed) -> Composed:
        """A job's configuration with its share of the cores, where it does not say how many it wants.

        It is written down with the job, since the number of threads changes the bits of a result.
        """
        if self.threads is None or composed.root.threads is not None:
            return composed
        root = replace(composed.root, threads=self.threads)
        return replace(composed, root=root, config={**composed.config, "threads": self.threads})

    def engine(self, home: Path, stop: StopRequest) -> engines.Engine:
        """What runs the jobs below `home`."""
        if isinstance(self.launcher, ProcessSettings):
            return engines.processes(home, self.launcher, self.capacity, self.shares, self.data)
        if isinstance(self.launcher, SlurmSettings):
            return engines.slurm(home, self.launcher, self.data, self.cache)
        if isinstance(self.launcher, StockSettings):
            from runner.sweep.stock import Stock

            hydra = [word for word in self.words if word.startswith("hydra")]
            return Stock(home, hydra, self.data, self.capacity)
        return engines.InProcess(home, stop, self.data)


def widest(root: RootSettings, devices: Iterable[int]) -> RootSettings:
    """`root` with the most devices that a job of the sweep takes: so many, each has a share of."""
    return replace(root, trainer=replace(root.trainer, devices=max(devices)))


def _divided(
    settings: ProcessSettings, root: RootSettings, jobs: int
) -> tuple[int, int | None, tuple[str, ...] | None]:
    """How many jobs run at a time, the threads of each, and its devices."""
    pool = _pool(settings, root)
    if pool is not None:
        each = _devices_of(root)
        shares = tuple(",".join(pool[i : i + each]) for i in range(0, len(pool) - each + 1, each))
        if not shares:
            raise ConfigError(f"trainer.devices={each} is more than launcher.devices has ({len(pool)})")
        capacity = min(settings.jobs or len(shares), len(shares), jobs)
        return capacity, _share(capacity * each), shares
    wanted = (root.threads or 1) * _devices_of(root)
    capacity = min(settings.jobs or max(1, cores() // wanted), jobs)
    return capacity, _share(capacity * _devices_of(root)), None


def _share(processes: int) -> int:
    """Threads of one of so many processes: an equal share of the cores, or less where `OMP_NUM_THREADS` says
    so."""
    share = max(1, cores() // processes)
    return min(share, told() or share)


def _devices_of(root: RootSettings) -> int:
    return root.trainer.devices


def _pool(settings: ProcessSettings, root: RootSettings) -> list[str] | None:
    """The CUDA devices to divide; None where the jobs use none, or say which one they use."""
    if settings.devices is not None:
        if not settings.devices:
            raise ConfigError("launcher.devices=[] lists no device; null takes all, device=cpu none")
        return [str(device) for device in settings.devices]
    if root.device not in ("auto", "cuda"):
        return None
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        named = [device.strip() for device in visible.split(",")]
        return list(takewhile(DEVICE.fullmatch, named)) or None  # CUDA, too, looks no further than the first
    return [str(i) for i in range(len(list(NVIDIA.glob("*"))))] or None
