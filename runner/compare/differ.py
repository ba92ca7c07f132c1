"""In which keys configurations differ, and how to call each of them shortly."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

ABSENT = object()


def differing_keys(configs: Sequence[dict[str, Any]], overrides: Iterable[str] = ()) -> list[str]:
    """The keys whose values are not the same, or not there, in all of `configs`.

    Method and data set come first, then keys that were set in `overrides`, then the rest as they stand.
    """
    keys = dict.fromkeys(key for config in configs for key in config)
    return sorted((key for key in keys if _values(configs, [key]) > 1), key=_importance(overrides))


def labels(configs: Sequence[dict[str, Any]], keys: Sequence[str], folders: Sequence[str]) -> list[str]:
    """Names that differ, made of as few of `keys` as tell all configurations apart, else of their folders."""
    if len(configs) == 1:
        chosen = [configs[0].get(name) for name in ("method", "dataset")]
        return ["-".join(name for name in chosen if isinstance(name, str)) or folders[0]]
    short = short_keys(_telling(configs, keys))
    names = [
        ", ".join(f"{tail}={show(config[key])}" for key, tail in short.items() if key in config) or folder
        for config, folder in zip(configs, folders, strict=True)
    ]
    pairs = zip(names, folders, strict=True)
    return [name if names.count(name) == 1 else f"{name} ({folder})" for name, folder in pairs]


def short_keys(keys: Sequence[str]) -> dict[str, str]:
    """Each dotted key's last part, or the whole key where another key ends the same."""
    tails = [key.rpartition(".")[2] for key in keys]
    return {key: tail if tails.count(tail) == 1 else key for key, tail in zip(keys, tails, strict=True)}


def by_value(pairs: Iterable[tuple[str, Any]]) -> dict[str, list[str]]:
    """Values, as they are shown, to the names that have them."""
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(show(value), []).append(name)
    return values


def show(value: Any) -> str:
    """A configuration's value in one line of printable text."""
    if value is ABSENT:
        return "-"
    if isinstance(value, float):
        return f"{value:.12g}"
    if isinstance(value, str) and value and value.isprintable():
        return value
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if text.isprintable() else json.dumps(value, default=str)


def canonical(value: Any) -> str:
    """Text that is equal for equal values: 1 and 1.0 are, 1 and true are not."""
    if value is ABSENT:
        return "absent"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key!r}:{canonical(value[key])}" for key in sorted(value, key=str)) + "}"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, sort_keys=True, default=str)


def matches(name: str, globs: Sequence[str]) -> bool:
    """Whether a name matches one of the globs; upper and lower case differ."""
    return any(fnmatchcase(name, glob) for glob in globs)


def _values(configs: Sequence[dict[str, Any]], keys: Sequence[str]) -> int:
    return len({tuple(canonical(config.get(key, ABSENT)) for key in keys) for config in configs})


def _telling(configs: Sequence[dict[str, Any]], keys: Sequence[str]) -> list[str]:
    chosen: list[str] = []
    for key in keys:
        if _values(configs, [*chosen, key]) > _values(configs, chosen):
            chosen.append(key)
    return chosen


def _importance(overrides: Iterable[str]) -> Callable[[str], int]:
    given = [item.lstrip("+~").partition("=")[0].partition("@")[0] for item in overrides]
    ranks = {key: rank for rank, key in enumerate(dict.fromkeys(["method", "dataset", *given]))}
    return lambda key: ranks.get(key, len(ranks))
