"""Hydra's and OmegaConf's errors, said in one sentence with the nearest valid names and the file to look
at."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import yaml
from hydra.errors import HydraException, MissingConfigException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from runner.errors import ConfigError, nearest
from runner.origin import file_of
from runner.registry import CONF
from runner.settings import GROUPS, HOW, flat

if TYPE_CHECKING:
    from runner.compose import Composer


def explain(error: Exception, words: Sequence[str], composer: Composer) -> str:
    """One sentence for an error of composition."""
    if isinstance(error, MissingConfigException):
        return _missing_option(error, composer)
    if isinstance(error, yaml.YAMLError):
        mark = getattr(error, "problem_mark", None)
        where = f" ({mark.name}, line {mark.line + 1})" if mark else ""
        return f"a YAML file cannot be read{where}: {getattr(error, 'problem', None) or error}"
    text = " ".join(str(error).split())
    swept = re.search(r"Ambiguous value for argument '([^']*)'", text)
    if swept:
        key = swept[1].partition("=")[0]
        return f"{swept[1]} lists several values: add -m to sweep over them, or write {key}=[...] for a list"
    swept = re.search(r"Sweep parameters '([^']*)' requires --multirun", text)
    if swept:
        search = " sweeper=optuna" if "interval(" in swept[1] else ""
        return f"{swept[1]} stands for several values: add -m{search}"
    unknown = re.search(r"Could not (?:override|delete(?: from config\.)?) '?([^'\s]+?)'?\.? ", text + " ")
    if unknown:
        return _unknown_key(unknown[1].rstrip("."), words, composer)
    word = _culprit(words, composer)
    return f"{word + ': ' if word else ''}{text}"


def _missing_option(error: MissingConfigException, composer: Composer) -> str:
    group, _, name = (error.missing_cfg_file or "").partition("/")
    if not name:
        return " ".join(str(error).splitlines()[:1])
    options = [option for option in composer.options(group) if option != "none"]
    if group.startswith("hydra"):
        return f"{group}/{name} is not available{nearest(name.rpartition('/')[2], error.options or [])}"
    entries = {"method": composer.registry.methods, "dataset": composer.registry.datasets}
    if group in entries and name in entries[group]():
        return f"{group}={name} has no YAML: conf/{group}/{name}.yaml belongs beside its package"
    hint = composer.registry.hint() if group in entries else ""
    return f"{group}={name} is not known{nearest(name, options)} (see conf/{group}){hint}"


def _unknown_key(key: str, words: Sequence[str], composer: Composer) -> str:
    known = _known_keys(words, composer)
    choices = known.pop("", {})
    group = key.partition(".")[0].partition("@")[0]
    if group in choices and choices[group] not in ("None", "none"):
        file = file_of(group, choices[group], composer.places(composer.installed))
    else:
        file = "conf/config.yaml"
    tail = {name.rpartition(".")[2]: name for name in known}
    hint = nearest(key, [name for name in known if "." in name] if "." in key else known)
    if "did you mean" not in hint and key.rpartition(".")[2] in tail:
        hint = f"; did you mean {tail[key.rpartition('.')[2]]}?"
    if "did you mean" not in hint:
        inside = [name for name in known if name.startswith(group + ".")] or [
            n for n in known if "." not in n
        ]
        hint = nearest(key, inside)
    if group in HOW and (others := _having(group, key.partition(".")[2])):
        hint = f"; {group}={' or '.join(others)} has it"
    return f"{key} is not a key of {file}{hint}"


def _having(group: str, name: str) -> list[str]:
    """The choices of a group that have a key."""
    files = sorted((CONF / group).glob("*.yaml"))
    return [file.stem for file in files if name in (yaml.safe_load(file.read_text(encoding="utf-8")) or {})]


def _known_keys(words: Sequence[str], composer: Composer) -> dict[str, Any]:
    """Dotted keys of the configuration that the choices of `words` alone make; under "" the choices."""
    groups = [word for word in words if word.partition("=")[0] in (*GROUPS, *HOW)]
    try:
        tree = composer._tree(groups)
    except (HydraException, OmegaConfBaseException, ValueError):
        tree = composer._tree([])
    choices = {str(k): str(v) for k, v in tree.hydra.runtime.choices.items()}
    plain = OmegaConf.to_container(tree)
    assert isinstance(plain, dict)
    values = {str(key): value for key, value in plain.items() if key != "hydra"}
    return {**flat(values), **dict.fromkeys(values), "": choices}


def _culprit(words: Sequence[str], composer: Composer) -> str:
    """The first word without which the rest composes."""
    for i, word in enumerate(words):
        try:
            composer._tree([*words[:i], *words[i + 1 :]])
        except (HydraException, OmegaConfBaseException, ValueError, ConfigError):
            continue
        return word
    return ""
