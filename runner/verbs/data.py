"""`run data fetch|verify NAME`: gets a data set's files, or checks those that are there."""

from __future__ import annotations

from typing import Any

from runner import schema
from runner.compose import Composer, plain
from runner.errors import ConfigError, nearest
from runner.registry import Found
from runner.settings import HOW, RootSettings

HELP = """\
run data fetch NAME [data.root=DIR] [data.mirror=URL] [data.cache=DIR]
run data verify NAME [data.root=DIR] [data.cache=DIR]

fetch downloads what is missing and checks it; verify only checks what is there.
"""


def main(words: list[str]) -> int:
    """The verb; returns the exit code: 0 all well, 1 a file is missing or damaged, 2 wrong input."""
    if not words or any(word in ("-h", "--help") for word in words):
        print(HELP, end="")
        return 0 if words else 2
    if words[0] not in ("fetch", "verify"):
        raise ConfigError(
            f"run data {words[0]}: there is no such action{nearest(words[0], ['fetch', 'verify'])}"
        )
    if len(words) < 2 or "=" in words[1]:
        raise ConfigError(f"run data {words[0]} needs the name of a data set; `run list datasets` shows them")
    composer = Composer([f"dataset={words[1]}", *words[2:]])
    found = composer.registry.dataset(words[1])
    tree = composer.tree(composer.words)
    config = plain(tree)
    root = {key: value for key, value in config.items() if key not in ("method", "dataset", *HOW)}
    settings = schema.build(RootSettings, root, "", "conf/config.yaml")
    chosen = schema.build(found.entry.config, config["dataset"], "dataset", found.yaml("dataset"))
    return fetch(found, chosen, settings) if words[0] == "fetch" else verify(found, chosen, settings)


def fetch(found: Found, config: Any, settings: RootSettings) -> int:
    """Prints the files that are now there."""
    from datasets.fetch import fetch as fetch_files
    from datasets.types import DataError
    from runner.access import access

    try:
        paths = fetch_files(found.entry, config, access(settings))
    except DataError as error:
        raise ConfigError(str(error)) from error
    for path in paths:
        print(path)
    if not paths:
        print("nothing to fetch: this data set comes with the program or from a folder of your own")
    return 0


def verify(found: Found, config: Any, settings: RootSettings) -> int:
    """Prints the state of each file."""
    from datasets.fetch import verify as verify_files
    from runner.access import access

    states = verify_files(found.entry, config, access(settings))
    for name, state in states:
        print(f"{name}: {state}")
    if not states:
        print("nothing to verify: this data set comes with the program or from a folder of your own")
    return 0 if all(state in ("ok", "whole") for _, state in states) else 1
