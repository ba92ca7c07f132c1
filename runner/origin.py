"""Which YAML file of the user's own a value comes from, so that a message names the file to mend."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from runner.registry import shown
from runner.settings import flat

LATER_FIRST = ("debug", "experiment", "preset", "trainer", "method", "dataset")
NO_KEYS = ("experiment", "preset")
KEY = re.compile(r"[\w.]+")


def located(message: str, words: Sequence[str], choices: Mapping[str, str], places: Sequence[Path]) -> str:
    """`message`, which begins with a key, after the file that sets the key: the last chosen option below
    `places`; as it is where a word of the command or the project's own YAML sets it."""
    found = KEY.match(message)
    key = found[0] if found else ""
    given = [word.lstrip("+~").partition("=")[0] for word in words]
    if key in NO_KEYS and not any(name.startswith(f"{key}.") for name in given):
        return f"{file_of(key, choices[key], places)}: its first line must be '# @package _global_'"
    if not key or any(f"{name}.".startswith(f"{key}.") for name in given):
        return message
    for group in LATER_FIRST:
        for place in places:
            path = place / group / f"{choices.get(group)}.yaml"
            if path.is_file() and key in _keys(path, [group, *choices[group].split("/")[:-1]]):
                where = shown(path)
                return f"{where}: {message.replace(f' of {where}', '').replace(f' (see {where})', '')}"
    return message


def file_of(group: str, choice: str, places: Sequence[Path]) -> str:
    """The file of an option, in `places` or in the project, as a message names it."""
    file = f"{group}/{choice}.yaml"
    return next((shown(place / file) for place in places if (place / file).is_file()), f"conf/{file}")


def _keys(path: Path, package: Sequence[str]) -> set[str]:
    """Dotted keys that a file sets in the composed tree, with those of the groups they stand in."""
    text = path.read_text(encoding="utf-8")
    content: Any = yaml.safe_load(text) or {}
    content.pop("defaults", None)
    if not re.search(r"^#\s*@package\s+_global_", text, re.MULTILINE):
        for name in reversed(package):
            content = {name: content}
    parts = [key.split(".") for key in flat(content)]
    return {".".join(part[:n]) for part in parts for n in range(1, len(part) + 1)}
