"""Shell completion: verbs, choices and values here; keys from Hydra, whose shell functions are installed."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import typing
from collections.abc import Sequence
from typing import Any, Literal

from runner.cli import VERBS
from runner.compose import Composer
from runner.errors import ConfigError
from runner.registry import CONF
from runner.settings import GROUPS, HOW, RootSettings
from runner.verbs.list import SECTIONS

DEVICES = ("auto", "cpu", "cuda", "mps")


def complete(argv: list[str]) -> int:
    """`-sc install=SHELL` prints the shell's function; `-sc query=SHELL` what may follow in `COMP_LINE`."""
    if "COMP_LINE" not in os.environ or not any(word.startswith("query=") for word in argv):
        _hydra(argv)
        return 0
    line = os.environ["COMP_LINE"][: int(os.environ.get("COMP_POINT") or 0) or None]
    *before, current = line.split(" ") if line.endswith(" ") else line.split()
    try:
        found = suggestions([word for word in before[1:] if word], current)
    except ConfigError:  # the line has a mistake before this word; the command itself will name it
        found = []
    if found is None:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            _hydra(argv)
        found = [word for word in printed.getvalue().split() if not word.startswith("hydra")]
        found += [verb for verb in VERBS if not before[1:] and verb.startswith(current)]
    print(("\n" if "query=fish" in argv else " ").join(found))
    return 0


def suggestions(before: Sequence[str], current: str) -> list[str] | None:
    """Words that may stand where `current` begins, after the words `before`; None where Hydra knows more.

    None at all, for files, leaves the shell to complete their names.
    """
    key, equals, _ = current.partition("=")
    if before and before[0] in VERBS:
        names = _after_verb(before)
    elif equals:
        values = _values(before, key)
        if values is None:
            return None
        names = [f"{key}={value}" for value in values]
    else:
        return None
    return sorted(name for name in names if name.startswith(current))


def _after_verb(before: Sequence[str]) -> list[str]:
    if before[0] == "list":
        return list(SECTIONS)
    if before[0] == "data" and len(before) == 1:
        return ["fetch", "verify"]
    return _composer(before).options("dataset") if before[0] == "data" and len(before) == 2 else []


def _values(before: Sequence[str], key: str) -> list[str] | None:
    if key in (*GROUPS, "launcher", "sweeper"):
        return _composer(before).options(key)
    if key == "device":
        return list(DEVICES)
    if key == "task":
        chosen = [word.partition("=")[2] for word in before if word.startswith("method=")]
        return list(_composer(before).registry.method(chosen[-1]).entry.all_tasks) if chosen else None
    hint = _hint(before, key)
    if str in (hint, *typing.get_args(hint)):
        return []  # a place or free text; the shell completes names of files
    if hint is bool:
        return ["true", "false"]
    if typing.get_origin(hint) is not Literal:
        return None
    return [str(c).lower() if isinstance(c, bool) else str(c) for c in typing.get_args(hint)]


def _hint(before: Sequence[str], key: str) -> Any:
    """The type of a setting, as far as the line before says whose it is; None if it is not known."""
    group, dot, name = key.partition(".")
    settings: Any = typing.get_type_hints(RootSettings)
    if not dot:
        return settings.get(key)
    if group in HOW:
        return _how_hints(before, group).get(name)
    chosen = [word.partition("=")[2] for word in before if word.startswith(f"{group}=")]
    if group not in ("method", "dataset"):
        settings = typing.get_type_hints(settings.get(group, object))
    elif chosen:
        registry = _composer(before).registry
        found = registry.method(chosen[-1]) if group == "method" else registry.dataset(chosen[-1])
        config = found.entry.config
        settings = typing.get_type_hints(found.refer(config) if isinstance(config, str) else config)
    return settings.get(name)


def _how_hints(before: Sequence[str], node: str) -> dict[str, Any]:
    from runner.search.settings import SWEEPERS
    from runner.sweep.settings import LAUNCHERS, SweepSettings

    known: dict[str, dict[str, type]] = {"launcher": {**LAUNCHERS}, "sweeper": {**SWEEPERS}}
    chosen = [word.partition("=")[2] for word in before if word.startswith(f"{node}=")]
    default = {"launcher": "auto", "sweeper": "grid"}.get(node, "")
    settings = known[node].get(chosen[-1] if chosen else default) if node in known else SweepSettings
    return typing.get_type_hints(settings) if settings else {}


def _composer(before: Sequence[str]) -> Composer:
    """Finds the methods of `methods.path`, where the line names any."""
    try:
        return Composer([word for word in before if word.startswith("methods.path=")])
    except ConfigError:
        return Composer([])


def _hydra(argv: list[str]) -> None:
    import hydra

    sys.argv = ["run", *argv]
    hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")(lambda config: None)()
