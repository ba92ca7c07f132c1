"""Runs to compare, and packages of methods that may be changed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from runner.compose import Composed, Composer
from runner.identity.parts import identity, parts

ROOT = Path(__file__).resolve().parents[3]
TOYS = ROOT / "tests" / "toys"
PLAIN = ("method=realnvp", "dataset=digits")


def composed(*words: str) -> Composed:
    return Composer(words).compose()


def of(*words: str) -> str:
    return identity(composed(*words))


def differing(one: dict[str, Any], two: dict[str, Any]) -> set[str]:
    """The parts in which two runs differ."""
    return {name for name in one if one[name] != two[name]}


def python(code: str, **environment: str) -> str:
    """What `code` prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def copy_toys(home: Path, *names: str) -> Path:
    """A folder of methods with the packages `copied_<name>`, the toys' own under another name."""
    for name in names:
        shutil.copytree(TOYS / f"toy_{name}", home / f"copied_{name}")
    shutil.copytree(TOYS / "conf", home / "conf")
    return home


def with_flow(home: Path, *words: str) -> Composed:
    return composed(f"methods.path={home}", "method=toy_flow", *words)


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def add(file: Path, code: str) -> None:
    file.write_text((file.read_text() if file.exists() else "") + code)


class Same:
    """Whether a change of files, made by the body of a `with`, leaves a run the same."""

    def __init__(self, run: Composed, same: bool) -> None:
        self.run, self.same = run, same

    def __enter__(self) -> None:
        self.before = parts(self.run)

    def __exit__(self, kind: object, *rest: object) -> None:
        if kind is None:
            assert differing(self.before, parts(self.run)) == (set() if self.same else {"code"})
