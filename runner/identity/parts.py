"""What makes a run the experiment that it is: its settings, data, code and versions.

Two runs share an identity when these agree; where they are run, and how often they are saved or drawn, is
left out. Whatever is not left out by name counts, so that a new setting or module changes an identity until
somebody has thought about it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from datasets.fetch import find, is_unpacked
from datasets.types import RemoteFile
from runner import folder
from runner.access import access
from runner.api import Source
from runner.compose import Composed, of_source
from runner.identity.code import modules_of
from runner.identity.files import MISSING, fingerprint
from runner.settings import flat

NO_RESULT = frozenset(
    {
        "outputs",
        "data.root",
        "data.mirror",
        "data.cache",
        "data.download",
        "data.workers",
        "methods.path",
        "trainer.checkpoint_every",
        "trainer.figures",
        "trainer.figures_every",
    }
)
"""Settings that change nothing that is learned, logged or measured: places, processes, and when a run is
saved or drawn. `trainer.log_every` and `eval_every` are not among them: they decide which points a curve
has."""

NO_VERSION = ("reclaim", "hydra-core")

RECORD = "artifact.json"
"""The file that names the content of a finished stage (`runner.engine.store.RECORD`, which imports torch)."""


def identity(composed: Composed) -> str:
    """16 hexadecimal digits that two runs share exactly when they are the same experiment.

    Raises `ConfigError` for what cannot be run, such as a setting that names no method, and for a damaged
    `result.json` in the run given as `checkpoint`.
    """
    return _hash(parts(composed))[:16]


def parts(composed: Composed) -> dict[str, Any]:
    """What an identity is made of, by kind: plain values in which two runs can be compared.

    `config`: dotted keys to values. `choices`: names of method and data set. `data`: names, checksums and
    fingerprints. `code`: one hash over `modules`. `versions`: of Python and of the libraries that compute.
    What belongs to a method that a setting names stands in the first three under that setting's dotted key.
    """
    providers = _providers(composed)
    return {
        "config": _config(composed) | {key: _config(other) for key, other in providers.items()},
        "choices": _choices(composed) | {key: _choices(other) for key, other in providers.items()},
        "data": _data(composed) | {key: _data(other) for key, other in providers.items()},
        "code": _hash(modules_of([composed, *providers.values()])),
        "versions": _versions(),
    }


def modules(composed: Composed) -> dict[str, str]:
    """The modules that the run imports, and a hash of what each does.

    They are found from the imports in their sources, also those within functions: the runner's, and those of
    the method, its data set and the methods that its settings name, as far as they lie in the project, in a
    folder of `methods.path` or in the package of an entry point. Comments, layout, docstrings, help texts and
    what only type checkers see do not count. Not seen are modules imported by a computed name, and files that
    are not Python.
    """
    return modules_of([composed, *_providers(composed).values()])


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _choices(composed: Composed) -> dict[str, Any]:
    """The names of method and data set; a preset's or experiment's values are in the settings."""
    return {group: composed.choices[group] for group in ("method", "dataset")}


@cache
def _versions() -> dict[str, str]:
    """Versions of what computes: not Hydra's, which only composes, nor the project's, whose code counts."""
    found = {name: what for name, what in folder.versions().items() if name not in NO_VERSION}
    return {**found, "python": ".".join(found["python"].split(".")[:2])}


def _config(composed: Composed) -> dict[str, Any]:
    """The settings that count, from the dataclasses, in which `lr=1` and `lr=1.0` are the same."""
    tree = {"method": composed.method_config, "dataset": composed.dataset_config, **vars(composed.root)}
    config = {key: value for key, value in flat(_plain(tree)).items() if key not in NO_RESULT}
    config["device"] = composed.root.device.partition(":")[0]  # which of several cards is a place
    if isinstance(config.get("dataset.path"), str):
        config["dataset.path"] = "in data"  # a place; what lies there counts
    if composed.root.checkpoint is not None:
        config["checkpoint"] = _finished(Path(composed.root.checkpoint).expanduser())
    return config


def _plain(value: Any) -> Any:
    """Settings as what JSON knows; an artifact's place as what lies there."""
    if isinstance(value, Source):
        return _plain_source(value)
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _plain_source(source: Source) -> dict[str, str]:
    """Its settings are left out where it names a method: `_providers` has them, with all others."""
    if source.path is None:
        return {"method": str(source.method)}
    place = Path(source.path).expanduser()
    try:
        return {"artifact": str(json.loads((place / RECORD).read_text(encoding="utf-8"))["content"])}
    except (OSError, ValueError, LookupError, TypeError):
        return {"artifact": fingerprint(place)}


def _finished(place: Path) -> list[Any]:
    """What a finished run, or one of its checkpoints, came to, wherever it lies."""
    home = place.parent.parent if place.is_file() else place
    result = folder.read_result(home) or {}
    told = {key: result.get(key) for key in ("status", "metrics", "numerics")}
    weights = [place] if place.is_file() else [home / "checkpoints", home / "stages"]
    return [told, *map(fingerprint, weights)]


def _providers(composed: Composed, key: str = "method") -> dict[str, Composed]:
    """The methods that settings name as sources of artifacts, with their own sources, by dotted key."""
    found: dict[str, Composed] = {}
    for where, source in _sources(composed.method_config, key):
        if source.method is not None:
            found[where] = of_source(source, composed)
            found |= _providers(found[where], f"{where}.method")
    return found


def _sources(value: Any, key: str) -> Iterator[tuple[str, Source]]:
    """The `Source`s among settings, with their dotted keys."""
    if isinstance(value, Source):
        yield key, value
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from _sources(getattr(value, field.name), f"{key}.{field.name}")
    elif isinstance(value, (Mapping, list, tuple)):
        for name, item in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from _sources(item, f"{key}.{name}")


def _data(composed: Composed) -> dict[str, Any]:
    """What identifies the data, of which no official file is read."""
    entry, config = composed.dataset.entry, composed.dataset_config
    found: dict[str, Any] = {"name": entry.name, "load": entry.load}
    if isinstance(path := getattr(config, "path", None), str):
        found["path"] = fingerprint(Path(path).expanduser())
    if entry.files is not None:
        files = composed.dataset.refer(entry.files)(config)
        found["files"] = [[file.name, _official(file, composed)] for file in files]
    elif (own := _in_root(composed)) != MISSING:
        found["root"] = own
    return found


def _in_root(composed: Composed) -> str:
    """What a reader keeps for a set without official files: its loader may read that, unchecked."""
    root = composed.root.data.root
    return MISSING if root is None else fingerprint(Path(root).expanduser() / composed.dataset.entry.name)


def _official(file: RemoteFile, composed: Composed) -> str:
    """The checksum that is compared when the file is read, also a reader's own; else what lies there."""
    checksum, reach = file.content or file.checksum, access(composed.root)
    path = find(composed.dataset.entry.name, file, reach)
    if file.optional and path is None:
        return MISSING
    if checksum and not (path and is_unpacked(path, file) and _within(path, reach.root)):
        return checksum
    return fingerprint(path) if path else MISSING


def _within(path: Path, root: Path | None) -> bool:
    """Whether a file is a reader's own; what the cache holds unpacked was checked while it was packed."""
    return root is not None and path.is_relative_to(root)
