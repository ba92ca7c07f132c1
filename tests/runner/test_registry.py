"""Methods and data sets by name, from the project, from folders and from installed packages."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from runner.errors import ConfigError
from runner.registry import Registry

INIT = """
from runner.api import MethodEntry
METHODS = (
    MethodEntry({name!r}, "summary", "paper", config=".config:C", method=".method:M", needs="images"),
)
"""
CONFIG = "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass C:\n    pass\n"


def package(folder: Path, name: str) -> Path:
    """A package `<folder>/own_<name>` that lists the method `name`."""
    home = folder / f"own_{name}"
    home.mkdir(parents=True)
    (home / "__init__.py").write_text(INIT.format(name=name))
    (home / "config.py").write_text(CONFIG)
    return home


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in [name for name in sys.modules if name.startswith("own_")]:
        monkeypatch.delitem(sys.modules, name)


def test_a_folder_of_packages_and_a_package_itself(tmp_path: Path) -> None:
    home = package(tmp_path / "one", "alpha")
    for path in (tmp_path / "one", home):
        found = Registry((path,)).method("alpha")
        assert found.refer(found.entry.config).__name__ == "C"


def test_configuration_comes_with_the_package_or_beside_it(tmp_path: Path) -> None:
    home = package(tmp_path, "beta")
    (tmp_path / "conf").mkdir()
    (home / "conf").mkdir()
    assert set(Registry((tmp_path,)).conf_folders(installed=False)) == {tmp_path / "conf", home / "conf"}


def test_one_name_for_two_methods_is_refused(tmp_path: Path) -> None:
    package(tmp_path, "realnvp")
    with pytest.raises(ConfigError, match="realnvp is claimed by two packages"):
        Registry((tmp_path,)).methods()


def test_a_package_that_cannot_be_imported_is_named(tmp_path: Path) -> None:
    home = package(tmp_path, "gamma")
    (home / "__init__.py").write_text("import nothing_of_that_name\n")
    with pytest.raises(ConfigError, match="nothing_of_that_name"):
        Registry((tmp_path,)).methods()


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("METHODS = (1 2)\n", r"own_gamma/__init__.py, line 1: invalid syntax"),
        ("\nMETHODS = 1 / 0\n", r"own_gamma/__init__.py, line 2: ZeroDivisionError"),
    ],
)
def test_a_mistake_in_a_package_is_named_with_its_line(tmp_path: Path, code: str, said: str) -> None:
    (package(tmp_path, "gamma") / "__init__.py").write_text(code)
    with pytest.raises(ConfigError, match=said):
        Registry((tmp_path,)).methods()


def test_an_entry_that_names_nothing_is_named(tmp_path: Path) -> None:
    (package(tmp_path, "gamma") / "config.py").write_text("class D: ...\nclass Config: ...\n")
    found = Registry((tmp_path,)).method("gamma")
    with pytest.raises(ConfigError, match=r"own_gamma/config.py has no Confg; did you mean Config\?"):
        found.refer(".config:Confg")


def test_what_may_be_wrong_where_a_name_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"methods\.path=DIR adds a folder of your own"):
        Registry().method("gamma")
    package(tmp_path, "gamma")
    (package(tmp_path, "bare") / "__init__.py").unlink()
    with pytest.raises(ConfigError, match=r"own_bare has no __init__\.py"):
        Registry((tmp_path,)).method("bare")


def test_a_name_that_is_taken_is_named(tmp_path: Path) -> None:
    (tmp_path / "json").mkdir()
    (tmp_path / "json" / "__init__.py").write_text("")
    with pytest.raises(ConfigError, match="rename the folder"):
        Registry((tmp_path,)).methods()


@pytest.mark.parametrize("make", [False, True])
def test_an_empty_or_missing_folder_is_named(make: bool, tmp_path: Path) -> None:
    place = tmp_path / "empty"
    if make:
        place.mkdir()
    with pytest.raises(ConfigError, match="empty"):
        Registry((place,)).methods()


def test_an_installed_package_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package(tmp_path, "delta")
    info = tmp_path / "delta-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: delta\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[reclaim.methods]\ndelta = own_delta\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert Registry().method("delta").package == "own_delta"
    assert "delta" not in Registry().methods(installed=False)


def test_unknown_names_have_neighbours() -> None:
    with pytest.raises(ConfigError, match="did you mean realnvp"):
        Registry().method("realnpv")
    with pytest.raises(ConfigError, match="did you mean digits"):
        Registry().dataset("digit")
