"""Claims by name: their files, in the project and in folders of a user's own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from runner.claim.settings import BUDGETS, Claim, claim_of
from runner.compose import Composer
from runner.errors import ConfigError, nearest
from runner.registry import CONF, shown

GLOB = "*[?"
NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
VERBS = ("list", "report")
MERGE = "tag:yaml.org,2002:merge"


@dataclass(frozen=True)
class Found:
    """A claim's file.

    Attributes:
        name: `<paper>/<name>`.
        path: the file.
        docs: where its verdict is kept; without the endings of the two files.
    """

    name: str
    path: Path
    docs: Path

    @property
    def json(self) -> Path:
        """The file of its verdict."""
        return self.docs.with_name(f"{self.docs.name}.json")

    @property
    def png(self) -> Path:
        """The picture of its verdict."""
        return self.docs.with_name(f"{self.docs.name}.png")

    def read(self, budget: str) -> Claim:
        """The claim at a budget; raises `ConfigError`."""
        file = shown(self.path)
        if not NAME.fullmatch(self.name):
            said = "a claim's and a paper's name have letters, digits, _, . and -"
            raise ConfigError(f"{file!r} is no claim's file: {said}")
        try:
            node: Any = yaml.load(self.path.read_text(encoding="utf-8"), _Strict)
            json.dumps(node, ensure_ascii=False, default=str).encode()  # raises for half a character
        except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
            raise ConfigError(f"{file} cannot be read: {' '.join(str(error).split())}") from None
        for one in BUDGETS:  # a mistake in a budget that is not used now is one all the same
            claim_of(node, self.name, file, one)
        return claim_of(node, self.name, file, budget)


class _Strict(yaml.SafeLoader):
    """Refuses a key that stands twice, of which YAML would take the last."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        if any(key.tag == MERGE for key, _ in node.value):
            said = "<< merges mappings, which a claim cannot do"
            raise yaml.constructor.ConstructorError(None, None, said, node.start_mark)
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            raise yaml.constructor.ConstructorError(None, None, f"{twice} stands twice", node.start_mark)
        return super().construct_mapping(node, deep)


def every(composer: Composer, out: Path | None = None) -> dict[str, Found]:
    """All claims by name, sorted; raises `ConfigError` where two files have one name.

    Arguments:
        out: where all verdicts are kept; by default those of each folder of claims lie beside it.
    """
    found: dict[str, Found] = {}
    for conf in (CONF, *composer.registry.conf_folders(installed=True), *composer.config_dirs):
        for path in sorted((conf / "claim").glob("[!.]*/[!.]*.yaml")):  # not an editor's own files
            name = f"{path.parent.name}/{path.stem}"
            if name in found:
                raise ConfigError(f"claim {name} has two files, {found[name].path} and {path}")
            docs = conf.parent / "docs" / "claims" if out is None else out
            found[name] = Found(name, path, docs / name)
    return dict(sorted(found.items()))


def chosen(patterns: list[str], composer: Composer, out: Path | None = None) -> list[Found]:
    """The claims that names and globs choose; raises `ConfigError` for one that chooses none."""
    known, names = every(composer, out), dict[str, None]()
    for pattern in patterns:
        matching = [name for name in known if fnmatchcase(name, pattern)]
        if not matching:
            raise ConfigError(_none(pattern, known))
        names |= dict.fromkeys(matching)
    return [known[name] for name in names]


def _none(pattern: str, known: Iterable[str]) -> str:
    """That a pattern chooses nothing, with what may have been meant."""
    papers = {name.partition("/")[0] for name in known}
    if pattern in papers:
        return f"{pattern} is a paper; all of its claims are '{pattern}/*'"
    if any(sign in pattern for sign in GLOB):
        return f"no claim matches {pattern}; run claim list shows them"
    near = nearest(pattern, [*VERBS, *known], only_close=True)
    return f"there is no claim {pattern}{near or '; run claim list shows them'}"
