"""Settings of `sweeper`: every combination, or a search; and what a search goes by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from runner import schema
from runner.errors import ConfigError, nearest

PART = "validation/"
"""What a search may choose by; to choose by the test part would spend it."""


@dataclass(frozen=True)
class GridSettings:
    """Every combination of the values."""

    name: Literal["grid"] = field(metadata={"help": "the sweeper's name"})


@dataclass(frozen=True)
class SearchSettings:
    """A search by Optuna: how many trials, how they are chosen, and what they are judged by."""

    name: Literal["optuna"] = field(metadata={"help": "the sweeper's name"})
    trials: int = field(metadata={"help": "trials in all, over all resumes", "min": 1, "max": 100_000})
    sampler: Literal["tpe", "random", "grid"] = field(metadata={"help": "how values are chosen"})
    startup: int = field(metadata={"help": "random trials before tpe learns from them", "min": 0})
    seed: int = field(metadata={"help": "seed of the choices", "min": 0, "max": 2**63 - 1})
    metric: str | None = field(metadata={"help": "metric of the validation part to search by"})
    direction: Literal["minimize", "maximize"] | None = field(metadata={"help": "which values are better"})
    prune: Literal["none", "median", "halving"] = field(metadata={"help": "which trials are cut short"})
    prune_after: int = field(metadata={"help": "trials that run to their end before any is cut", "min": 0})
    warmup_steps: int = field(metadata={"help": "steps that every trial may take", "min": 0})

    def __post_init__(self) -> None:
        if self.metric is not None and not self.metric.startswith(PART):
            why = "the test part is not for choosing" if "test/" in self.metric else "not one of validation"
            raise ValueError(
                f"{self.metric} is no metric to search by, {why}; name a metric such as {PART}loss"
            )


SWEEPERS: dict[str, type[GridSettings] | type[SearchSettings]] = {
    "grid": GridSettings,
    "optuna": SearchSettings,
}


def sweeper_settings(node: Any) -> GridSettings | SearchSettings:
    """The `sweeper` node as settings; raises `ConfigError`."""
    name = node.get("name") if isinstance(node, Mapping) else None
    if name not in SWEEPERS:
        raise ConfigError(f"sweeper={name} is not known{nearest(str(name), SWEEPERS)}")
    return schema.build(SWEEPERS[name], node, "sweeper", f"conf/sweeper/{name}.yaml")


def goal(settings: SearchSettings, monitor: str | None, minimise_monitor: bool) -> tuple[str, bool]:
    """The metric to search by and whether smaller is better.

    Arguments:
        monitor, minimise_monitor: what the method's last stage says of itself.

    Raises:
        ConfigError: neither the settings nor the method name a metric, or nobody says which way is better.
    """
    metric = settings.metric or monitor
    if metric is None:
        raise ConfigError(
            "sweeper.metric is null and the method's last stage monitors nothing; name a metric, "
            f"as in sweeper.metric={PART}loss sweeper.direction=minimize"
        )
    if not metric.startswith(PART):
        raise ConfigError(f"sweeper.metric: the method monitors {metric}; name one of {PART}... instead")
    if settings.direction is not None:
        return metric, settings.direction == "minimize"
    if metric != monitor:
        raise ConfigError(f"sweeper.metric={metric} also needs sweeper.direction=minimize or maximize")
    return metric, minimise_monitor
