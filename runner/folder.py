"""A run's folder: made for one run alone, locked while it runs, with everything needed to repeat the run."""

from __future__ import annotations

import fcntl
import io
import json
import math
import platform
import secrets
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from runner import atomic
from runner.errors import ConfigError
from runner.registry import ROOT
from runner.settings import GROUPS

RESULT = "result.json"
CONFIG = "config.yaml"
ITEMS = "items.npz"
"""Values for each item, by the metric's name."""

SWEEP = "sweep.json"
"""What the folder of a sweep holds."""


def stamp() -> str:
    """`<date>_<time>-<id>`: sorts by time and is unlikely to be taken."""
    return time.strftime("%Y-%m-%d_%H-%M-%S") + "-" + secrets.token_hex(3)


def make(parent: Path) -> Path:
    """A new folder below `parent`; two processes never get the same one. Raises `ConfigError` if it cannot be
    made."""
    for _ in range(100):
        folder = parent / stamp()
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            if parent.exists() and not parent.is_dir():
                raise ConfigError(f"outputs={parent}: this is a file, not a folder") from None
            continue
        except OSError as error:
            raise ConfigError(
                f"outputs={parent}: no run folder can be made there ({error.strerror})"
            ) from error
        return folder
    raise ConfigError(f"outputs={parent}: no free name was found")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps other processes out of the folder; raises `ConfigError` if one is in it."""
    with (folder / ".lock").open("a") as file:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(f"{folder} is in use by another process") from None
        yield


def write_config(
    folder: Path, config: Mapping[str, Any], choices: Mapping[str, str], overrides: tuple[str, ...]
) -> None:
    """Writes `config.yaml` (resolved, with the choices) and Hydra's usual record in `.hydra/`."""
    full = yaml.safe_dump({"choices": dict(choices), **config}, sort_keys=False)
    (folder / ".hydra").mkdir(exist_ok=True)
    atomic.write_bytes(
        folder / ".hydra" / "config.yaml", yaml.safe_dump(dict(config), sort_keys=False).encode()
    )
    atomic.write_bytes(folder / ".hydra" / "overrides.yaml", yaml.safe_dump(list(overrides)).encode())
    atomic.write_bytes(folder / CONFIG, full.encode())


def read_config(folder: Path) -> tuple[dict[str, Any], dict[str, str], tuple[str, ...]]:
    """Config, choices and overrides of a run; raises `ConfigError` if `folder` is none."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    path, words = folder / CONFIG, folder / ".hydra" / "overrides.yaml"
    if path.is_file() and not words.parent.is_dir():
        raise ConfigError(f"{folder} is not the folder of a run: it holds no {words.parent.name}")
    if not path.is_file():
        raise ConfigError(f"{folder} is not the folder of a run: it holds no {CONFIG}")
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        overrides = yaml.safe_load(words.read_text(encoding="utf-8"))
        choices = config.pop("choices")
        OmegaConf.create(config)  # raises where a text cannot be a value
        whole = all(isinstance(choices[group], str) for group in GROUPS)
        whole = whole and all(isinstance(word, str) for word in [*config["methods"]["path"], *overrides])
        if not whole or not isinstance(config["methods"]["path"], list) or not isinstance(overrides, list):
            raise ValueError("it is not what a run writes")
        refuse_code_within(folder, config["methods"]["path"])
        return config, choices, tuple(overrides)
    except (OSError, yaml.YAMLError, LookupError, AttributeError, TypeError, ValueError) as error:
        raise ConfigError(f"{path} is damaged: {' '.join(str(error).split())}") from error
    except OmegaConfBaseException as error:
        raise ConfigError(f"{path} is damaged: {' '.join(str(error).split())[:200]}") from error


def refuse_code_within(folder: Path, paths: Iterable[str]) -> None:
    """Raises ValueError for a `methods.path` within a run's folder, or within that of its sweep.

    A folder of runs may come from somebody else; it must not bring along the code that is run.
    """
    above = [*folder.absolute().parents, *folder.resolve().parents]
    homes = [folder.resolve(), *(one.resolve() for one in above if (one / SWEEP).is_file())]
    for place in map(Path, paths):
        if not place.is_absolute() or any(place.resolve().is_relative_to(home) for home in homes):
            raise ValueError(f"methods.path={place} is not where a method of yours would lie")


def write_items(folder: Path, items: Mapping[str, Any]) -> None:
    """Keeps the values for each item of some metrics in `items.npz`; writes nothing where there are none."""
    if not items:
        return
    import numpy

    out, arrays = io.BytesIO(), dict[str, Any]()
    arrays |= {name: numpy.asarray(value) for name, value in items.items()}
    numpy.savez(out, **arrays)
    atomic.write_bytes(folder / ITEMS, out.getvalue())


def read_result(folder: Path) -> dict[str, Any] | None:
    """The `result.json` of a folder, or None."""
    path = folder / RESULT
    if not path.is_file():
        return None
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        kinds: dict[str, Any] = {"status": str, "metrics": dict, "steps": int, "seconds": (int, float)}
        if not all(isinstance(result[key], kind) for key, kind in kinds.items()):
            raise ValueError("it is not what a run writes")
        return dict(result)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ConfigError(f"{path} is damaged ({error}); without it the run can go on") from error


def write_result(folder: Path, result: Mapping[str, Any]) -> None:
    """Writes `result.json`, whole or not at all; metrics that are not finite are left out."""
    metrics = {name: value for name, value in result["metrics"].items() if math.isfinite(value)}
    atomic.write_json(folder / RESULT, {**result, "metrics": metrics})


def versions() -> dict[str, str]:
    """Versions of what a result depends on."""
    found = {"python": platform.python_version()}
    for name in ("reclaim", "torch", "torchvision", "numpy", "hydra-core", "scikit-learn"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def git_state() -> dict[str, Any]:
    """Commit of the project and whether it was changed since; both None outside a git checkout."""
    try:
        commit = _git("rev-parse", "HEAD")
        return {"commit": commit, "dirty": bool(_git("status", "--porcelain"))}
    except (OSError, subprocess.SubprocessError):
        return {"commit": None, "dirty": None}


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()
