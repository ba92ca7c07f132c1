"""`checkpoint=DIR`: the configuration of a finished run, with what the command changes."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path

from omegaconf import OmegaConf

from runner import folder
from runner.api import CHECK
from runner.compose import Composed, Composer, checked, parse
from runner.errors import ConfigError
from runner.registry import Registry
from runner.settings import GROUPS


def from_checkpoint(composer: Composer, words: Sequence[str] | None = None) -> Composed | None:
    """The finished run's configuration with `words` on top (default: the command's own); None where no
    `checkpoint=` is among them.

    Only the tasks that look at a finished run take its configuration over; training that starts from a
    checkpoint keeps its own.
    """
    own = composer.words if words is None else list(words)
    given = {str(override.key_or_group): override for override in parse(own)}
    task = given["task"].value() if "task" in given else "train"
    if "checkpoint" not in given or str(task).startswith(("train", CHECK)):
        return None
    if given["checkpoint"].value() in (None, ""):
        raise ConfigError(f"task={task} needs checkpoint=DIR, the folder of a finished run")
    home = run_of(Path(str(given["checkpoint"].value())).expanduser())
    config, choices, saved = folder.read_config(home)
    for group in ("method", "preset", "experiment"):
        if group in given and given[group].value() != choices[group]:
            raise ConfigError(
                f"{group}={given[group].value()} does not go with checkpoint={home}: {choices[group]}"
            )
    composer = copy(composer)  # another job of a sweep may look at a run with other methods
    composer.registry, composer._known = _registry(composer, config), {}
    now = composer.compose(
        [f"method={choices['method']}", *(w for w in own if w.partition("=")[0] not in ("method", "preset"))]
    )
    merged = OmegaConf.create(config)
    for key in given:
        if key in GROUPS and key not in ("method", "preset"):
            merged[key] = now.config[key]
            choices[key] = now.choices[key]
        elif key not in GROUPS:
            OmegaConf.update(merged, key, OmegaConf.select(OmegaConf.create(now.config), key))
    plain = OmegaConf.to_container(merged)
    assert isinstance(plain, dict)
    overrides = tuple(w for w in saved if w.partition("=")[0] not in given) + tuple(own)
    found = checked({str(k): v for k, v in plain.items()}, choices, overrides, composer.registry)
    return replace(found, how=now.how)


def run_of(path: Path) -> Path:
    """The run's folder that a checkpoint belongs to; raises `ConfigError` if there is none."""
    if not path.exists():
        raise ConfigError(f"checkpoint={path}: there is no such folder")
    if path.is_dir():
        return path
    folder_of = path.resolve().parent
    if folder_of.name != "checkpoints":
        raise ConfigError(f"checkpoint={path} is no file in the folder checkpoints of a run")
    return folder_of.parent


def _registry(composer: Composer, config: dict[str, dict[str, list[str]]]) -> Registry:
    saved = tuple(Path(path) for path in config["methods"]["path"])
    return Registry(composer.registry.folders or saved)
