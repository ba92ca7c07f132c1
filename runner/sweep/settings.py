"""Settings of `run -m`: where its jobs run, and what is done about those that fail."""

from __future__ import annotations

import importlib.util
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from runner import schema
from runner.errors import ConfigError, nearest


@dataclass(frozen=True)
class SweepSettings:
    """What is done about jobs that fail."""

    on_error: Literal["continue", "stop"] = field(
        metadata={"help": "whether other jobs begin after one failed"}
    )
    retries: int = field(metadata={"help": "how often a failed job is tried again", "min": 0, "max": 100})


@dataclass(frozen=True)
class LocalSettings:
    """Jobs one after another in this process."""

    name: Literal["local"] = field(metadata={"help": "the launcher's name"})


@dataclass(frozen=True)
class ProcessSettings:
    """Jobs in fresh processes of this machine; `auto` is the same, but for a single job."""

    name: Literal["process", "auto"] = field(metadata={"help": "the launcher's name"})
    jobs: int | None = field(metadata={"help": "how many run at a time", "min": 1, "max": 1024})
    devices: tuple[int, ...] | tuple[str, ...] | None = field(metadata={"help": "pool of CUDA devices"})
    timeout_minutes: float | None = field(metadata={"help": "longest time of one attempt", "above": 0})
    grace_seconds: float = field(metadata={"help": "time to save before a job is killed", "min": 0})


@dataclass(frozen=True)
class SlurmSettings:
    """Jobs of a Slurm cluster."""

    name: Literal["slurm"] = field(metadata={"help": "the launcher's name"})
    jobs: int | None = field(metadata={"help": "how many run at a time", "min": 1})
    partition: str | None = field(metadata={"help": "partition"})
    account: str | None = field(metadata={"help": "account that is charged"})
    qos: str | None = field(metadata={"help": "quality of service"})
    constraint: str | None = field(metadata={"help": "features that a node must have"})
    minutes: int = field(metadata={"help": "time limit of a job", "min": 1})
    requeues: int = field(metadata={"help": "how often a job may run out of its time", "min": 0})
    signal_seconds: int = field(metadata={"help": "how long before its end a job is told", "min": 1})
    cpus: int = field(metadata={"help": "cores of a job", "min": 1})
    gpus: int = field(metadata={"help": "GPUs of a job", "min": 0})
    memory_gb: float | None = field(metadata={"help": "memory of a job", "above": 0})
    setup: tuple[str, ...] = field(metadata={"help": "shell lines run before the job"})
    extra: tuple[str, ...] = field(metadata={"help": "other options of sbatch, as name=value"})

    def __post_init__(self) -> None:
        for option in self.extra:
            if not re.fullmatch(r"[\w-]+=.*", option):
                raise ValueError(f"extra: {option!r} is not name=value")
        for name in ("partition", "account", "qos", "constraint"):
            if "\n" in (getattr(self, name) or ""):  # it would be another line of the script
                raise ValueError(f"{name} has more than one line")


@dataclass(frozen=True)
class StockSettings:
    """A launcher of Hydra's own or of a plugin, chosen by `hydra/launcher=NAME`."""

    name: str


LauncherSettings = LocalSettings | ProcessSettings | SlurmSettings | StockSettings
LAUNCHERS: dict[str, type] = {
    "auto": ProcessSettings,
    "local": LocalSettings,
    "process": ProcessSettings,
    "slurm": SlurmSettings,
}


def launcher_settings(node: Any) -> LauncherSettings:
    """The `launcher` node as settings; raises `ConfigError`."""
    name = node.get("name") if isinstance(node, Mapping) else None
    if name not in LAUNCHERS:
        raise ConfigError(f"launcher={name} is not known{nearest(str(name), LAUNCHERS)}")
    settings: LauncherSettings = schema.build(LAUNCHERS[name], node, "launcher", f"conf/launcher/{name}.yaml")
    if name in ("process", "slurm") and importlib.util.find_spec("submitit") is None:
        raise ConfigError(f"launcher={name} needs submitit: pip install submitit")
    if name == "slurm" and shutil.which("srun") is None:
        raise ConfigError(
            "launcher=slurm: there is no Slurm here (no srun on the path); launcher=process needs none"
        )
    return settings


def sweep_settings(node: Any) -> SweepSettings:
    """The `sweep` node as settings; raises `ConfigError`."""
    return schema.build(SweepSettings, node, "sweep", "conf/config.yaml")
