"""Claims by name: their files, in the project and in folders of a user's own."""

from __future__ import annotations

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


@dataclass(frozen=True)
class Found:
    """A claim's file.

    Attributes:
        name: `<paper>/<name>`.
        path: the file.
        docs: where its verdict is kept, as JSON and PNG beside each other; without their endings.
    """

    name: str
    path: Path
    docs: Path

    def read(self, budget: str) -> Claim:
        """The claim at a budget; raises `ConfigError`."""
        file = shown(self.path)
        try:
            node: Any = yaml.load(self.path.read_text(encoding="utf-8"), _Strict)
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ConfigError(f"{file} cannot be read: {' '.join(str(error).split())}") from None
        for one in BUDGETS:  # a mistake in a budget that is not used now is one all the same
            claim_of(node, self.name, file, one)
        return claim_of(node, self.name, file, budget)


class _Strict(yaml.SafeLoader):
    """Refuses a key that stands twice, of which YAML would take the last."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            raise yaml.constructor.ConstructorError(None, None, f"{twice} stands twice", node.start_mark)
        return super().construct_mapping(node, deep)


def every(composer: Composer) -> dict[str, Found]:
    """All claims by name, sorted; raises `ConfigError` where two files have one name."""
    found: dict[str, Found] = {}
    for conf in (CONF, *composer.registry.conf_folders(installed=True), *composer.config_dirs):
        for path in sorted((conf / "claim").glob("*/*.yaml")):
            name = f"{path.parent.name}/{path.stem}"
            if name in found:
                raise ConfigError(f"claim {name} has two files, {found[name].path} and {path}")
            found[name] = Found(name, path, conf.parent / "docs" / "claims" / name)
    return dict(sorted(found.items()))


def chosen(patterns: list[str], composer: Composer) -> list[Found]:
    """The claims that names and globs choose; raises `ConfigError` for one that chooses none."""
    known, names = every(composer), dict[str, None]()
    for pattern in patterns:
        matching = [name for name in known if fnmatchcase(name, pattern)]
        if not matching:
            said = "no claim matches" if any(sign in pattern for sign in GLOB) else "there is no claim"
            raise ConfigError(f"{said} {pattern}{nearest(pattern, known)}")
        names |= dict.fromkeys(matching)
    return [known[name] for name in names]
