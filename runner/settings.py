"""The settings that the runner itself understands: the root of the configuration, `trainer` and `data`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal

GROUPS = ("method", "dataset", "preset", "experiment", "trainer", "debug")
"""The groups of which a run has one choice each."""

HOW = ("launcher", "sweeper", "sweep")
"""Nodes that say how `run -m` makes and runs its jobs; no part of a run's own configuration."""


@dataclass(frozen=True)
class TrainerSettings:
    """How long to train, how often to look, log and save, and what every optimiser step has in common."""

    steps: int | None = field(metadata={"help": "steps of each training stage", "min": 1})
    fallback_steps: int = field(metadata={"help": "steps where nothing says how long to train", "min": 1})
    epochs: float | None = field(metadata={"help": "passes over the training data", "above": 0})
    max_minutes: float | None = field(metadata={"help": "end training after this time", "above": 0})
    eval_every: int | None = field(metadata={"help": "steps between evaluations", "min": 1})
    select_every: int | None = field(metadata={"help": "steps between choices of the best", "min": 1})
    checkpoint_every: int = field(metadata={"help": "steps between checkpoints", "min": 1})
    log_every: int = field(metadata={"help": "steps between logged lines", "min": 1})
    figures: bool = field(metadata={"help": "draw figures"})
    figures_every: int | None = field(metadata={"help": "steps between figures", "min": 1})
    clip: float | None = field(metadata={"help": "bound of the gradient's norm", "above": 0})
    accumulate: int = field(metadata={"help": "micro-batches that make a batch", "min": 1})
    ema: float | None = field(metadata={"help": "decay of averaged weights", "above": 0, "below": 1})
    early_stop: int | None = field(
        metadata={"help": "choices without a better one before stopping", "min": 1}
    )
    keep_best: bool = field(metadata={"help": "end with the best weights instead of the last"})
    devices: int = field(metadata={"help": "processes that train one run together", "min": 1, "max": 4096})


@dataclass(frozen=True)
class DataSettings:
    """Where data may be read, fetched and cached."""

    root: str | None = field(metadata={"help": "a reader's own folder; <root>/<name> is used read-only"})
    mirror: str | None = field(metadata={"help": "address or folder tried before the official one"})
    cache: str = field(metadata={"help": "folder for downloads, decoded data and artifacts"})
    download: bool = field(metadata={"help": "whether naming a downloadable set fetches it"})
    workers: int | None = field(metadata={"help": "decoding processes", "min": 0, "max": 256})


@dataclass(frozen=True)
class MethodsSettings:
    """Where methods live besides the project's own folder."""

    path: tuple[str, ...] = field(metadata={"help": "folders with methods of one's own"})


@dataclass(frozen=True)
class DebugSettings:
    """What the debug presets switch; all off in an ordinary run."""

    overfit: bool = field(metadata={"help": "train on one fixed batch"})
    nan: bool = field(
        metadata={"help": "look at every operation of every step for the first NaN or infinity"}
    )
    profile: bool = field(metadata={"help": "profile some steps and write a table and a trace"})


@dataclass(frozen=True)
class RootSettings:
    """The root of the configuration; `method` and `dataset` are checked against their own dataclasses."""

    seed: int = field(metadata={"help": "seed of everything random", "min": 0, "max": 2**63 - 1})
    device: str = field(metadata={"help": "auto, cpu, cuda, cuda:N or mps"})
    precision: Literal["fp32", "bf16", "fp16"] = field(
        metadata={"help": "arithmetic of forward and backward"}
    )
    compile: bool = field(metadata={"help": "compile the modules"})
    threads: int | None = field(
        metadata={"help": "threads of one process; null = the cores it may use", "min": 1, "max": 1024}
    )
    task: str = field(metadata={"help": "train, evaluate, or what the method offers"})
    checkpoint: str | None = field(metadata={"help": "folder of a finished run"})
    outputs: str = field(metadata={"help": "where run folders go"})
    trainer: TrainerSettings = field(metadata={"help": "the loop"})
    data: DataSettings = field(metadata={"help": "where data is"})
    methods: MethodsSettings = field(metadata={"help": "methods of one's own"})
    debug: DebugSettings = field(metadata={"help": "debug switches"})

    def __post_init__(self) -> None:
        if not re.fullmatch(r"auto|cpu|mps|cuda(:[0-9]{1,4})?", self.device):
            raise ValueError(f"device={self.device} is not one of auto, cpu, cuda, cuda:N, mps")


def flat(node: Any, path: str = "") -> dict[str, Any]:
    """Dotted keys to values of a nested configuration; lists and empty groups are values."""
    if not isinstance(node, dict) or not node:
        return {path: node}
    items: dict[str, Any] = {}
    for key, value in node.items():
        items |= flat(value, f"{path}.{key}" if path else str(key))
    return items
