"""The modules that a run imports, found from the imports in their sources."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Mapping, Sequence
from importlib.util import resolve_name
from pathlib import Path
from types import ModuleType

from runner.api import CHECK
from runner.compose import Composed
from runner.identity.source import read, with_parents
from runner.registry import ROOT

OWN = ("runner", "methods", "datasets")
"""The project's packages."""

START = ("runner.run", "runner.engine.pipeline")
"""What runs every method."""

NO_NUMBER = {
    # what people read
    *("runner.console", "runner.errors", "runner.explain", "runner.idle", "runner.origin", "runner.compare"),
    "runner.order",
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


def modules_of(runs: Sequence[Composed]) -> dict[str, str]:
    """The modules that runs import, and a hash of what each does; see `runner.identity.parts.modules`."""
    places, files, found = _places(runs), dict[str, str | None](), dict[str, str]()
    todo = {*with_parents([*START, *(name for run in runs for name in _entered(run))])}
    while todo:
        name = todo.pop()
        files[name] = places.file(name) if NO_NUMBER.isdisjoint(with_parents([name])) else None
        if file := files[name]:
            found[name], imported = read(file, name)
            todo |= imported - files.keys()
    return found


def _entered(run: Composed) -> list[str]:
    """The modules that a run enters by name: those of its method and data set, and that of its check."""
    method, data = run.method.entry, run.dataset.entry
    texts = [(run.method, method.method), (run.method, method.config), (run.dataset, data.load)]
    if run.root.task.startswith(CHECK):
        texts.append((run.method, method.checks[run.root.task.removeprefix(CHECK)]))
    names = [resolve_name(text.partition(":")[0], found.package) for found, text in texts]
    return [*names, data.config.__module__]
