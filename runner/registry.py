"""Finds methods and data sets by name, lazily, in the project, in other packages and in folders of a user's
own.

A package of methods lists `METHODS` (and, if it brings data, `DATASETS`) in its `__init__.py`, which imports
no torch. Its YAML lies in a folder `conf/` of the package or beside it. Packages come from `methods/`, from
entry points of the group `reclaim.methods`, and from the folders in `methods.path`.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from runner.api import MethodEntry
from runner.errors import ConfigError, nearest

ROOT = Path(__file__).resolve().parents[1]
CONF = ROOT / "conf"
ENTRY_POINTS = "reclaim.methods"


@dataclass(frozen=True)
class Found:
    """A method's or data set's entry, and the package that its references are relative to."""

    entry: Any
    package: str

    def refer(self, reference: str) -> Any:
        """What `"module:name"` refers to, imported now."""
        module, _, name = reference.partition(":")
        imported = importlib.import_module(module, self.package)
        if not hasattr(imported, name):
            file = shown(Path(imported.__file__ or module))
            names = [known for known in vars(imported) if not known.startswith("_")]
            raise ConfigError(f"{file} has no {name}{nearest(name, names, only_close=True)}")
        return getattr(imported, name)

    def yaml(self, group: str) -> str:
        """The file of its settings, as a message names it."""
        home = Path(sys.modules[self.package].__file__ or "").parent
        file = f"conf/{group}/{self.entry.name}.yaml"
        there = (folder / file for folder in (home, home.parent) if (folder / file).is_file())
        return shown(next(there, ROOT / file))


@dataclass
class Registry:
    """Everything that can be named in one command.

    Attributes:
        folders: the folders of `methods.path`.
    """

    folders: tuple[Path, ...] = ()

    @cached_property
    def _own(self) -> list[ModuleType]:
        names = sorted(
            p.parent.name for p in (ROOT / "methods").glob("*/__init__.py") if p.parent.name != "common"
        )
        return [importlib.import_module(f"methods.{name}") for name in names]

    @cached_property
    def _local(self) -> list[ModuleType]:
        return [_import_from(path) for folder in self.folders for path in _packages(folder)]

    @cached_property
    def _installed(self) -> list[ModuleType]:
        from importlib.metadata import (
            entry_points,
        )  # reading every installed package's metadata takes a while

        return [
            point.load() for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name)
        ]

    def packages(self, installed: bool = True) -> list[ModuleType]:
        """The packages of methods, the project's own first; `installed=False` skips the entry points."""
        return self._own + self._local + (self._installed if installed else [])

    def conf_folders(self, installed: bool) -> list[Path]:
        """Folders of YAML that come with methods from elsewhere."""
        packages = self._local + (self._installed if installed else [])
        homes = [Path(module.__file__).parent for module in packages if module.__file__]
        found = [folder / "conf" for home in homes for folder in (home, home.parent)]
        return list(dict.fromkeys(path for path in found if path.is_dir() and path != CONF))

    def methods(self, installed: bool = True) -> dict[str, Found]:
        """Methods by name; raises `ConfigError` where two packages claim one name."""
        return _collect(self.packages(installed), "METHODS", [])

    def datasets(self, installed: bool = True) -> dict[str, Found]:
        """Data sets by name; raises `ConfigError` where two packages claim one name."""
        catalog = _own_datasets().ENTRIES
        return _collect(self.packages(installed), "DATASETS", [Found(entry, "datasets") for entry in catalog])

    def method(self, name: str) -> Found:
        """The method called `name`, looked for in entry points only if it is nowhere else."""
        return _pick("method", name, self.methods, self.hint())

    def dataset(self, name: str) -> Found:
        """The data set called `name`, looked for in entry points only if it is nowhere else."""
        return _pick("dataset", name, self.datasets, self.hint())

    def hint(self) -> str:
        """What may be missing where a name is not found; ends a sentence."""
        if not self.folders:
            return "; methods.path=DIR adds a folder of your own"
        bare = [path for folder in self.folders for path in _bare(folder)]
        return f"; {shown(bare[0])} has no __init__.py" if bare else ""

    def provider(self, name: str, kind: str) -> str:
        """The stage of method `name` that makes artifacts of `kind`; raises `ConfigError` if none does."""
        entry: MethodEntry = self.method(name).entry
        if kind not in entry.provides:
            raise ConfigError(f"method {name} makes no {kind}{nearest(kind, entry.provides)}")
        return entry.provides[kind]


def shown(path: Path) -> str:
    """`path` as a message names it: from the project's root or the current folder if it lies below."""
    for home in (ROOT, Path.cwd()):
        if path.is_relative_to(home):
            return path.relative_to(home).as_posix()
    return str(path)


def _pick(what: str, name: str, table: Any, hint: str) -> Found:
    found = table(installed=False)
    if name not in found:
        found = table(installed=True)
    if name not in found:
        raise ConfigError(f"{what}={name} is not known{nearest(name, found)}{hint}")
    return found[name]


def _collect(packages: Iterable[ModuleType], attribute: str, first: list[Found]) -> dict[str, Found]:
    table: dict[str, Found] = {}
    listed = [
        Found(entry, module.__name__) for module in packages for entry in getattr(module, attribute, ())
    ]
    for found in first + listed:
        other = table.setdefault(found.entry.name, found)
        if other is not found:
            name = found.entry.name
            raise ConfigError(
                f"{name} is claimed by two packages, {other.package} and {found.package}; rename one"
            )
    return table


def _own_datasets() -> Any:
    """`datasets.catalog` of this project; says so if another package called `datasets` is in the way."""
    import datasets

    if getattr(datasets, "MARKER", None) != "reclaim-datasets":
        where = getattr(datasets, "__file__", None) or "elsewhere"
        raise ConfigError(
            f"another package called datasets ({where}) hides Reclaim's; start it with `run` or `reclaim`"
        )
    return importlib.import_module("datasets.catalog")


def _packages(folder: Path) -> list[Path]:
    """The packages in a folder of `methods.path`: itself, if it is one, or its sub-folders."""
    if not folder.is_dir():
        raise ConfigError(f"methods.path: there is no folder {folder}")
    if (folder / "__init__.py").is_file():
        return [folder]
    found = sorted(path.parent for path in folder.glob("*/__init__.py"))
    if not found:
        raise ConfigError(
            f"methods.path: {folder} holds no package (a folder with __init__.py that lists METHODS)"
        )
    return found


def _bare(folder: Path) -> list[Path]:
    """Sub-folders with code that are no packages for want of an `__init__.py`."""
    homes = sorted({path.parent for path in folder.glob("*/*.py")})
    return [home for home in homes if not (home / "__init__.py").is_file()]


def _import_from(package: Path) -> ModuleType:
    parent = str(package.parent)
    if parent not in sys.path:
        sys.path.append(parent)  # at the end, so that no file there hides a module of ours or of Python's
    try:
        module = importlib.import_module(package.name)
    except SyntaxError as error:
        raise ConfigError(f"methods.path: {error.filename}, line {error.lineno}: {error.msg}") from error
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{last.filename}, line {last.lineno}: " if package in Path(last.filename).parents else ""
        what = f"{where}{type(error).__name__}: {error}"
        raise ConfigError(f"methods.path: {package} cannot be imported: {what}") from error
    if Path(module.__file__ or "").resolve().parent != package.resolve():
        raise ConfigError(
            f"methods.path: the name of {package} is taken by {module.__file__}; rename the folder"
        )
    return module
