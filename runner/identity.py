"""What makes a run the experiment that it is, known before it starts and without torch.

Two runs share an identity when their settings, data, code and versions agree; where they are run, and how
often they are saved or drawn, is left out. Whatever is not left out by name counts, so that a new setting or
module changes an identity until somebody has thought about it.
"""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import json
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache, lru_cache
from importlib.util import resolve_name
from pathlib import Path
from types import ModuleType
from typing import Any

from datasets.fetch import find, is_unpacked
from datasets.types import DatasetEntry, RemoteFile
from runner import folder
from runner.access import access
from runner.api import Source
from runner.compose import Composed, of_source
from runner.registry import ROOT
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
        "trainer.figures_every",
    }
)
"""Settings that change nothing that is learned, logged or measured: places, processes, and when a run is
saved or drawn. `trainer.log_every` and `eval_every` are not among them: they decide which points a curve
has."""

OWN = ("runner", "methods", "datasets")
"""The project's packages."""

START = ("runner.run", "runner.engine.pipeline")
"""What runs every method."""

NO_NUMBER = {
    # what people read
    *("runner.console", "runner.errors", "runner.explain", "runner.origin", "runner.compare"),
    *("runner.engine.progress", "runner.engine.estimate", "runner.engine.profiling"),
    # commands, and how many runs are started
    *(
        "runner.cli",
        "runner.start",
        "runner.signals",
        "runner.sweep",
        "runner.search",
        "runner.claim",
        "runner.identity",
    ),
    *("runner.verbs.list", "runner.verbs.complete", "runner.verbs.data", "runner.verbs.resume"),
    # what they come to is in the settings and in the entries' references, which count
    *("runner.compose", "runner.registry", "runner.schema"),
    # whose files are known by their checksums, which count
    *("datasets.sources", "datasets.download", "datasets.fetch"),
}
"""Modules that change no number; neither they, nor what lies below them or only they import, counts."""

NO_VERSION = ("reclaim", "hydra-core")

BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
"""Where statements hold statements."""

RECORD = "artifact.json"
"""The file that names the content of a finished stage (`runner.engine.store.RECORD`, which imports torch)."""

MISSING = "missing"
SMALL = 256 * 10**6
"""Bytes up to which files are known by what they hold; larger ones by their sizes and times."""


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
        "code": _hash(_modules([composed, *providers.values()])),
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
    return _modules([composed, *_providers(composed).values()])


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
    if checksum and not (path and is_unpacked(path, file) and _within(path, reach.root)):
        return checksum
    return fingerprint(path) if path else MISSING


def _within(path: Path, root: Path | None) -> bool:
    """Whether a file is a reader's own; what the cache holds unpacked was checked while it was packed."""
    return root is not None and path.is_relative_to(root)


def fingerprint(place: Path) -> str:
    """What identifies a file or the files below a folder, wherever it lies; `missing` if nothing is there.

    Up to `SMALL` bytes, that is names and contents, so that a copy has the same. More are not read: sizes and
    times of change stand in for what they hold. Hidden files do not count.
    """
    files = _files(place)
    if not files:
        return MISSING
    with suppress(OSError):  # what cannot be read is for the run to say
        if sum(size for _, size, _ in files) < SMALL:
            return _content(str(place), files)
    return f"times:{_hash(files)}"


File = tuple[str, int, int]
"""Name below a folder, size and time of change in nanoseconds."""


def _files(place: Path) -> tuple[File, ...]:
    names = sorted(_below(place)) if place.is_dir() else [""]
    return tuple(file for name in names for file in _state(place, name))


def _below(place: Path) -> Iterator[str]:
    """Names of the files below a folder; links to folders are followed once, as the loaders do."""
    seen: set[str] = set()
    for home, below, files in os.walk(place, followlinks=True):
        if (real := os.path.realpath(home)) in seen:
            below.clear()
            continue
        seen.add(real)
        below[:] = sorted(name for name in below if name[0] != ".")  # of two links the first is followed
        inside = os.path.relpath(home, place)
        yield from (os.path.normpath(f"{inside}/{name}") for name in files if name[0] != ".")


def _state(place: Path, name: str) -> Iterator[File]:
    """Nothing for a link that leads nowhere, and for a pipe, at which reading would wait."""
    try:
        found = os.stat(os.path.join(place, name) if name else place)
    except OSError:
        return
    if stat.S_ISREG(found.st_mode):
        yield name, found.st_size, found.st_mtime_ns


@lru_cache(maxsize=64)
def _content(place: str, files: tuple[File, ...]) -> str:
    state = hashlib.sha256()
    for name, size, _ in files:
        with open(os.path.join(place, name) if name else place, "rb") as stream:
            state.update(f"{name}\0{size}\0{hashlib.file_digest(stream, 'sha256').hexdigest()}\n".encode())
    return f"sha256:{state.hexdigest()}"


@dataclasses.dataclass(frozen=True)
class _Places:
    """Where modules lie: packages by name, and folders every module of which counts."""

    packages: Mapping[str, Sequence[Path]]
    folders: Sequence[Path]

    def file(self, module: str) -> str | None:
        """The source of a module; None if it is none, or somebody else's."""
        top, *rest = module.split(".")
        homes = self.packages.get(top) or [home / top for home in self.folders]
        stems = (os.path.join(home, *rest) for home in homes)
        files = (file for stem in stems for file in (os.path.join(stem, "__init__.py"), f"{stem}.py"))
        return next((file for file in files if os.path.isfile(file)), None)


def _places(runs: Sequence[Composed]) -> _Places:
    found = {name.partition(".")[0] for run in runs for name in (run.method.package, run.dataset.package)}
    others = {top: _homes(sys.modules[top]) for top in found.difference(OWN)}
    # Packages of `methods.path` see what lies beside them, as the registry puts that on Python's path.
    folders = {path.parent if (path / "__init__.py").is_file() else path for path in runs[0].registry.folders}
    return _Places({name: [ROOT / name] for name in OWN} | others, sorted(folders))


def _homes(package: ModuleType) -> list[Path]:
    """The folders of a package; for an entry point that is one file, that without its suffix."""
    return [Path(path) for path in getattr(package, "__path__", [str(package.__file__).removesuffix(".py")])]


def _modules(runs: Sequence[Composed]) -> dict[str, str]:
    places, files, found = _places(runs), dict[str, str | None](), dict[str, str]()
    todo = {*_with_parents([*START, *(name for run in runs for name in _entered(run))])}
    while todo:
        name = todo.pop()
        files[name] = places.file(name) if NO_NUMBER.isdisjoint(_with_parents([name])) else None
        if file := files[name]:
            found[name], imported = _read(file, name)
            todo |= imported - files.keys()
    return found


def _entered(run: Composed) -> list[str]:
    """The modules that the entries of a method and a data set refer to."""
    method, dataset = run.method, run.dataset
    references = [(found, text) for found in (method, dataset) for text in _references(found.entry)]
    return [resolve_name(text.partition(":")[0], found.package) for found, text in references]


def _references(entry: Any) -> list[str]:
    """`"module:name"` texts of an entry; a data set's dataclass by the module that it was made in."""
    if isinstance(entry, DatasetEntry):
        return [entry.load, entry.config.__module__]
    return [entry.method, entry.config]


def _with_parents(modules: Iterable[str]) -> frozenset[str]:
    """`a`, `a.b` and `a.b.c` for `a.b.c`: importing one imports all."""
    parts = (module.split(".") for module in modules)
    return frozenset(".".join(names[:count]) for names in parts for count in range(1, len(names) + 1))


def _read(file: str, module: str) -> tuple[str, frozenset[str]]:
    """Hash of a source, and all that may be a module among what it imports."""
    state = os.stat(file)
    return _parsed(file, module, state.st_mtime_ns, state.st_size)


@cache
def _parsed(file: str, module: str, changed: int, size: int) -> tuple[str, frozenset[str]]:
    source = Path(file).read_bytes()
    package = module if os.path.basename(file) == "__init__.py" else module.rpartition(".")[0]
    try:
        tree = ast.parse(source)
        imported = _imports(_stripped(tree), package)
        text = ast.dump(tree).encode()
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last two where it nests too deeply
        return hashlib.sha256(source).hexdigest(), frozenset()
    return hashlib.sha256(text).hexdigest(), _with_parents(imported)


def _imports(statements: Iterable[ast.AST], package: str) -> set[str]:
    """Absolute dotted names of what statements import, modules and others alike."""
    names: set[str] = set()
    for node in statements:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            with suppress(ImportError):  # more dots than packages, at which Python itself will stop
                base = resolve_name("." * node.level + (node.module or ""), package)
                names |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return names


def _stripped(node: ast.AST) -> Iterator[ast.AST]:
    """All statements of a tree, out of which is taken what changes nothing while they are gone through.

    That is docstrings, what only type checkers see, and words for people.
    """
    if isinstance(node, ast.If) and _name(node.test) == "TYPE_CHECKING":
        node.body = []
    for block in BLOCKS:
        if hasattr(node, block):
            setattr(node, block, [one for one in getattr(node, block) if not _is_text(one)])
            for statement in getattr(node, block):
                yield from _stripped(statement)
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        for value in (node.value, *getattr(node.value, "elts", ())):  # `METHODS` is a tuple
            if isinstance(value, ast.Call):
                _strip_words(value)
    yield node


def _name(node: ast.expr) -> str | None:
    """The last part of a dotted name."""
    name: str | None = getattr(node, "attr", getattr(node, "id", None))
    return name


def _is_text(statement: ast.AST) -> bool:
    """Whether a statement is a bare text, such as a docstring."""
    value = getattr(statement, "value", None)
    return (
        isinstance(statement, ast.Expr) and isinstance(value, ast.Constant) and isinstance(value.value, str)
    )


def _strip_words(call: ast.Call) -> None:
    """Takes out what only help and lists show: `help` of a setting, `summary` and `paper` of an entry."""
    if _name(call.func) in ("MethodEntry", "DatasetEntry"):
        call.keywords = [one for one in call.keywords if one.arg not in ("summary", "paper")]
    elif _name(call.func) == "field":
        for one in call.keywords:
            if one.arg == "metadata" and isinstance(one.value, ast.Dict):
                _strip_help(one.value)


def _strip_help(metadata: ast.Dict) -> None:
    pairs = list(zip(metadata.keys, metadata.values, strict=True))
    pairs = [(key, value) for key, value in pairs if getattr(key, "value", None) != "help"]
    metadata.keys, metadata.values = [key for key, _ in pairs], [value for _, value in pairs]
