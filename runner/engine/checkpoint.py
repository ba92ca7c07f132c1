"""Checkpoints: plain tensors and scalars, written beside the old one, read back, then put in its place."""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy
import torch

from runner import atomic
from runner.errors import ConfigError

MOST_NAMES = 3


def plain(value: Any, path: str = "state") -> Any:
    """`value` as tensors, numbers, texts, lists, tuples, dictionaries; raises TypeError for anything else."""
    if isinstance(value, numpy.generic):  # first: numpy's float64 is also a float
        return value.item()
    if value is None or isinstance(value, (torch.Tensor, bool, int, float, str)):
        return value
    if isinstance(value, numpy.ndarray):
        return torch.from_numpy(value.copy())
    if isinstance(value, (dict, OrderedDict)):
        return {_key(key, path): plain(item, f"{path}.{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        items = [plain(item, f"{path}[{i}]") for i, item in enumerate(value)]
        return items if isinstance(value, list) else tuple(items)
    raise TypeError(
        f"{path} is a {type(value).__name__}, which a checkpoint cannot hold; use tensors and plain values"
    )


def _key(key: Any, path: str) -> int | str:
    if isinstance(key, (int, str)):
        return key
    raise TypeError(
        f"{path} has a key of type {type(key).__name__}; a checkpoint takes texts and whole numbers"
    )


def save(path: Path, state: Mapping[str, Any]) -> None:
    """Writes `state` to `path`; the previous file goes only when the new one was read back."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = plain(dict(state))

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:  # given a path, torch would write the temporary name into the file
            _dump(content, file)
        verify(temporary)

    atomic.replace(path, write)


def _dump(content: Any, file: BinaryIO) -> None:
    try:
        torch.save(content, file)
    except RuntimeError as error:
        if isinstance(error.__context__, OSError):  # a full disk, hidden behind torch's own complaint
            raise error.__context__ from None
        raise


def verify(path: Path) -> None:
    """Reads `path` back; raises OSError if a byte of it is not what was written."""
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise OSError(f"checkpoint {path} does not read back ({damaged} is damaged)")
    torch.load(path, map_location="cpu", weights_only=True, mmap=True)


def load(path: Path) -> dict[str, Any]:
    """The state that `save` wrote, on the CPU; no code in the file is run.

    Raises `ConfigError` if the file is damaged or holds more than tensors and plain values.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:  # torch's own advice is to run what the file says
        reason = "it is damaged, or holds more than tensors and plain values"
        raise ConfigError(f"{path} is no checkpoint that can be read: {reason}") from error
    except (OSError, RuntimeError, EOFError, ValueError, LookupError, TypeError, AttributeError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ConfigError(f"{path} is no checkpoint that can be read: {reason[:200]}") from error
    except zipfile.BadZipFile as error:
        raise ConfigError(f"{path} is no checkpoint that can be read: {error}") from error
    if not isinstance(state, dict):
        raise ConfigError(f"{path} is no checkpoint: it holds a {type(state).__name__}")
    return state


def load_tracked(tracked: Mapping[str, Any], saved: Mapping[str, Any]) -> None:
    """Loads saved state into what a stage tracks; raises ConfigError where the two do not fit."""
    if set(tracked) != set(saved):
        raise ConfigError(
            f"the checkpoint holds {sorted(saved)}, but this configuration makes {sorted(tracked)}"
        )
    for name, value in tracked.items():
        try:
            value.load_state_dict(saved[name])
        except (RuntimeError, ValueError, LookupError, TypeError, AttributeError) as error:
            reason = " ".join(str(error).split())
            reason = reason if len(reason) <= 160 else reason[:157] + "..."
            raise ConfigError(
                f"the checkpoint's {name} does not fit this configuration; leave the method's settings as "
                f"they were ({_unlike(value, saved[name]) or reason})"
            ) from error


def _unlike(value: Any, saved: Any) -> str:
    """The tensors of a module that a saved state lacks, has besides, or has in another shape."""
    if not isinstance(value, torch.nn.Module) or not isinstance(saved, Mapping):
        return ""
    own = value.state_dict()
    shapes = [(name, getattr(own[name], "shape", None), getattr(saved[name], "shape", None))
              for name in own if name in saved]  # fmt: skip
    parts = {
        "missing": [name for name in own if name not in saved],
        "unexpected": [str(name) for name in saved if name not in own],
        "of another shape": [name for name, one, other in shapes if one != other],
    }
    return "; ".join(f"{what}: {_some(names)}" for what, names in parts.items() if names)


def _some(names: list[str]) -> str:
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
