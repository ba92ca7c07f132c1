"""Runs that differ in nothing but their seed, taken together as one configuration."""

from __future__ import annotations

import os
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from runner import order
from runner.compare.differ import ABSENT, by_value, canonical, differing_keys, labels, matches
from runner.compare.load import Run

# The seed, where things lie and how many hands there are: these never make another configuration.
NOT_CONFIGURATION = (
    "seed",
    "outputs",
    "threads",
    "data.root",
    "data.mirror",
    "data.cache",
    "data.download",
    "data.workers",
    "methods.path",
)


@dataclass(frozen=True)
class Summary:
    """A metric over `n` of the `of` runs of a configuration; `sd` is the sample's (n - 1), None for one run.

    `partial` says that no run is completed, so that the values are the latest instead of final.
    """

    mean: float
    sd: float | None
    n: int
    of: int
    values: list[float]
    partial: bool


@dataclass(frozen=True)
class Configuration:
    """Runs of one configuration; `config` is without the keys of `NOT_CONFIGURATION`."""

    name: str
    config: dict[str, Any]
    runs: list[Run]

    @cached_property
    def counted(self) -> list[Run]:
        """The runs that a mean is taken over: completed ones, of each seed the newest; without any, all."""
        completed = sorted(self._completed, key=_age)
        newest = {
            number if run.seed is None else f"seed {run.seed}": run for number, run in enumerate(completed)
        }
        kept = {run.folder for run in newest.values()}
        return [run for run in self.runs if run.folder in kept] or self.runs

    @property
    def notes(self) -> list[str]:
        seeds = Counter(str(run.seed) for run in self._completed if run.seed is not None)
        return [
            f"{self.name}: seed {seed} was completed {n} times; the newest counts"
            for seed, n in seeds.items()
            if n > 1
        ]

    def summary(self, metric: str) -> Summary | None:
        """Mean and standard deviation of a final metric over the counted runs that have it."""
        values = [run.metrics[metric] for run in self.counted if metric in run.metrics]
        if not values:
            return None
        sd = statistics.stdev(values) if len(values) > 1 else None
        return Summary(statistics.fmean(values), sd, len(values), len(self.runs), values, self.partial)

    @property
    def partial(self) -> bool:
        """Whether no run is completed, so that values are the latest instead of final."""
        return not self._completed

    @property
    def _completed(self) -> list[Run]:
        return [run for run in self.runs if run.status == "completed"]


@dataclass(frozen=True)
class Comparison:
    """Configurations in the order in which their first runs were found, the keys in which they differ, and
    the names of the runs' folders, as short as they can be."""

    configurations: list[Configuration]
    keys: list[str]
    names: dict[Path, str]

    @property
    def runs(self) -> list[Run]:
        return [run for configuration in self.configurations for run in configuration.runs]

    @property
    def metrics(self) -> list[str]:
        """Final metrics of any run: test first, then validation, then the rest, each by name."""
        seen = {name for run in self.runs for name in run.metrics}
        splits = {"test": 0, "validation": 1}
        return sorted(seen, key=lambda name: (splits.get(name.partition("/")[0], 2), order.metric(name)))

    @property
    def differences(self) -> dict[str, dict[str, list[str]]]:
        """Each differing key to its values, each with the names of the configurations that have it."""
        return {
            key: by_value((item.name, item.config.get(key, ABSENT)) for item in self.configurations)
            for key in self.keys
        }

    @property
    def environment(self) -> dict[str, dict[str, list[str]]]:
        """Facts of machine, code and data that differ between runs: fact to value to names of runs."""
        facts = {self.names[run.folder]: run.environment for run in self.runs if run.environment}
        keys = differing_keys(list(facts.values()))
        return {
            key: by_value((name, known.get(key, ABSENT)) for name, known in facts.items()) for key in keys
        }

    @property
    def notes(self) -> list[str]:
        """What a reader should know before trusting the numbers."""
        own = [note for item in self.configurations for note in item.notes]
        return list(dict.fromkeys(own + [warning for run in self.runs for warning in run.warnings]))


def compare(runs: Sequence[Run], ignored: Sequence[str] = ()) -> Comparison:
    """Groups runs by their configuration; keys that match a glob of `ignored` do not tell runs apart."""
    names = _folder_names([run.folder for run in runs])
    groups: dict[str, tuple[dict[str, Any], list[Run]]] = {}
    told = [name for name in ("method", "dataset") if all(name in run.choices for run in runs)]
    for run in runs:
        config = _configuration(run, told, ignored)
        # Without a configuration nothing can be said to be the same: such a run stands alone.
        identity = canonical(config) if run.config is not None else f"folder {names[run.folder]}"
        groups.setdefault(identity, (config, []))[1].append(run)
    configs = [config for config, _ in groups.values()]
    keys = differing_keys(configs, [item for run in runs for item in run.overrides])
    called = labels(configs, keys, [names[members[0].folder] for _, members in groups.values()])
    pairs = zip(called, groups.values(), strict=True)
    return Comparison(
        [Configuration(name, config, members) for name, (config, members) in pairs], keys, names
    )


def _configuration(run: Run, told: Sequence[str], ignored: Sequence[str]) -> dict[str, Any]:
    config = {name: run.choices[name] for name in told} | (run.config or {})
    globs = (*NOT_CONFIGURATION, *ignored)
    return {key: value for key, value in config.items() if not matches(key, globs)}


def _folder_names(folders: Sequence[Path]) -> dict[Path, str]:
    if len(folders) == 1:
        return {folders[0]: folders[0].resolve().name}
    top = os.path.commonpath([folder.resolve() for folder in folders])
    return {folder: os.path.relpath(folder.resolve(), top) for folder in folders}


def _age(run: Run) -> float:
    try:
        return (run.folder / "result.json").stat().st_mtime
    except OSError:
        return 0.0
