"""Which folders below the given ones are runs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from runner.errors import ConfigError, nearest
from runner.order import natural

_NEVER_RUNS = {".git", ".hydra", "checkpoints", "figures", "projector"}


def find_runs(folders: Sequence[str | Path]) -> list[Path]:
    """The run folders at or below each of `folders`, each once, in natural order within a folder.

    Raises `ConfigError` for a name that is no folder and for a folder without any run.
    """
    found: dict[Path, Path] = {}
    for folder in map(Path, folders):
        for run in _runs_below(folder):
            found.setdefault(run.resolve(), run)
    return list(found.values())


def _runs_below(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ConfigError(_not_a_folder(folder))
    runs = sorted(_walk(folder), key=lambda run: natural(str(run)))
    if not runs and (folder / "result.json").is_file():
        runs = [folder]
    if not runs:
        raise ConfigError(
            f"{folder} holds no run: no metrics.jsonl, and no result.json beside a config.yaml, "
            f"was found in it or below it{_neighbours(folder)}"
        )
    return runs


def _walk(folder: Path) -> Iterator[Path]:
    for place, below, files in os.walk(folder):
        if "metrics.jsonl" in files or {"result.json", "config.yaml"} <= set(files):
            yield Path(place)
            below.clear()  # what lies in a run's folder belongs to that run
        below[:] = [name for name in below if name not in _NEVER_RUNS]


def _not_a_folder(folder: Path) -> str:
    if folder.exists():
        return f"{folder} is a file; run compare takes the folders of runs or a folder above them"
    return f"there is no folder {folder}{_neighbours(folder)}"


def _neighbours(folder: Path) -> str:
    # absolute() first: the parent of "." is "." itself
    parent = folder.absolute().parent
    if not parent.is_dir():
        return f", nor {parent}"
    names = [entry.name for entry in os.scandir(parent) if entry.is_dir() and entry.name[0] != "."]
    names = [name for name in names if name != folder.name]
    return nearest(folder.name, names, only_close=True)
