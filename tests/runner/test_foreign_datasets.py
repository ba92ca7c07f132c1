"""Another package called `datasets` is stepped over by the command, and named by the start-up check."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def foreign(tmp_path: Path) -> dict[str, str]:
    """An environment in which a foreign `datasets` comes first on the path."""
    package = tmp_path / "site" / "datasets"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise_if_used = True\n")
    return {**os.environ, "PYTHONPATH": str(tmp_path / "site")}


def test_the_command_puts_its_own_folder_first(foreign: dict[str, str], tmp_path: Path) -> None:
    command = [str(Path(sys.executable).parent / "run"), "list", "datasets"]
    done = subprocess.run(command, env=foreign, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "dataset=digits" in done.stdout


def test_a_foreign_package_that_was_imported_first_is_named(foreign: dict[str, str], tmp_path: Path) -> None:
    code = "import datasets; from runner.cli import main; raise SystemExit(main(['dataset=digits', '--cfg']))"
    done = subprocess.run(
        [sys.executable, "-c", code], env=foreign, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "another package called datasets" in done.stderr
    assert str(tmp_path) in done.stderr
