"""`run list`: what can be chosen."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile

from runner.api import CHECK, MethodEntry
from runner.compose import Composer
from runner.errors import ConfigError, nearest

SECTIONS = ("methods", "datasets", "presets", "experiments", "debug", "launchers", "sweepers")
WIDEST = 44
"""Letters of the column of names."""
HELP = """\
run list [methods|datasets|presets|experiments|debug|launchers|sweepers] [methods.path=DIR]

Shows what can be chosen, with a line about each.
"""


def main(words: list[str]) -> int:
    """The verb; returns the exit code."""
    if any(word in ("-h", "--help") for word in words):
        print(HELP, end="")
        return 0
    asked = [word for word in words if "=" not in word]
    for word in asked:
        if word not in SECTIONS:
            raise ConfigError(f"run list {word}: there is no such list{nearest(word, SECTIONS)}")
    for word in words:
        if "=" in word and not word.startswith("methods.path="):
            raise ConfigError(f"run list {word}: only methods.path=DIR changes what there is to choose")
    composer = Composer([word for word in words if "=" in word])
    for section in asked or SECTIONS:
        print(f"{section}:")
        print("\n".join([*columns(rows(section, composer)), ""]))
    return 0


def columns(found: Sequence[tuple[str, str]]) -> list[str]:
    """Lines of names and descriptions; a name too long for its column stands on a line of its own."""
    width = max((len(left) for left, _ in found if len(left) <= WIDEST), default=0)
    lines: list[str] = []
    for left, right in found:
        if len(left) > width and right:
            lines += [f"  {left}", f"  {'':<{width}}  {right}"]
        else:
            lines.append(f"  {left:<{width}}  {right}".rstrip())
    return lines


def rows(section: str, composer: Composer) -> list[tuple[str, str]]:
    """Name and description of each choice of a section."""
    registry = composer.registry
    if section == "methods":
        entries = [found.entry for found in registry.methods().values()]
        return [(f"method={e.name}", f"{e.summary} [{e.paper}] tasks: {_tasks(e)}") for e in entries]
    if section == "datasets":
        return [(f"dataset={name}", found.entry.summary) for name, found in registry.datasets().items()]
    group = section.rstrip("s")
    return [
        (f"{group}={name}", about(group, name, composer))
        for name in composer.options(group)
        if name != "none"
    ]


def _tasks(entry: MethodEntry) -> str:
    checks = [f"{CHECK}{{{','.join(entry.checks)}}}"] if entry.checks else []
    return ", ".join([*entry.tasks, *checks])


def about(group: str, name: str, composer: Composer) -> str:
    """The first sentence of the comment that a choice's YAML file begins with."""
    from runner.registry import CONF

    for home in (CONF, *composer.registry.conf_folders(True)):
        path = home / group / f"{name}.yaml"
        if path.is_file():
            lines = takewhile(
                lambda line: line.startswith("#"), path.read_text(encoding="utf-8").splitlines()
            )
            text = " ".join(line[1:].strip() for line in lines if "@package" not in line)
            return re.split(r"(?<=\.) ", text, maxsplit=1)[0].rstrip(".:")
    return ""
