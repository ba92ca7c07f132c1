"""Which code makes an experiment another."""

from __future__ import annotations

import ast
import importlib
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from types import ModuleType

import pytest

from runner.identity.code import NO_NUMBER
from runner.identity.parts import modules, parts
from tests.runner.identity.runs import (
    PLAIN,
    ROOT,
    TOYS,
    Same,
    add,
    composed,
    edit,
    python,
    with_flow,
)


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("method.py", "\n# a comment\n"),
        ("method.py", '\n"""What stands above."""\n'),
        ("other.py", "x = 2\n"),
        ("below/other.py", "x = 2\n"),
        ("../other.py", "x = 2\n"),
    ],
)
def test_what_is_added_without_effect_does_not_count(flow: Path, file: str, code: str) -> None:
    (flow / "copied_flow" / "below").mkdir()
    add(flow / "copied_flow" / "other.py", "x = 1\n")
    with Same(with_flow(flow), same=True):
        add(flow / "copied_flow" / file, code)


@pytest.mark.parametrize("name", ["TYPE_CHECKING", "typing.TYPE_CHECKING"])
def test_what_only_type_checkers_see_does_not_count(flow: Path, name: str) -> None:
    home = flow / "copied_flow"
    add(home / "other.py", "x = 1\n")
    add(home / "method.py", f"\nif {name}:\n    from .other import x\n")
    with Same(with_flow(flow), same=True):
        edit(home / "other.py", "x = 1", "x = 2")
        edit(home / "method.py", "from .other import x", "from .other import x as y")


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("method.py", "(section 3.3)", "(section 3.4)"),
        ("config.py", '"help": "affine couplings"', '"help": "couplings"'),
        ("__init__.py", "in the plane", "in a plane"),
        ("__init__.py", "ICLR 2017", "ICLR 2018"),
        ("method.py", "x: Tensor) -> tuple[Tensor, Tensor]:", "x: Tensor\n    ) -> tuple[Tensor, Tensor]:"),
    ],
)
def test_words_for_people_and_layout_do_not_count(flow: Path, file: str, old: str, new: str) -> None:
    with Same(with_flow(flow), same=True):
        edit(flow / "copied_flow" / file, old, new)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("method.py", "scale = scale.tanh()", "scale = scale.sin()"),
        ("config.py", '"min": 1', '"min": 2'),
        ("__init__.py", 'needs="points"', 'needs="images"'),
        ("__init__.py", '"""A small', 'x = """A small'),
    ],
)
def test_what_has_an_effect_counts(flow: Path, file: str, old: str, new: str) -> None:
    with Same(with_flow(flow), same=False):
        edit(flow / "copied_flow" / file, old, new)


@pytest.mark.parametrize("code", ["f()", "...", "1", "assert f", "pass", "b'bytes'"])
def test_every_added_statement_but_a_text_counts(flow: Path, code: str) -> None:
    with Same(with_flow(flow), same=False):
        add(flow / "copied_flow" / "method.py", f"\n{code}\n")


def test_the_code_of_the_data_set_counts(flow: Path) -> None:
    with Same(with_flow(flow), same=False):
        edit(flow / "copied_points" / "data.py", "manual_seed(7)", "manual_seed(8)")


def test_a_change_of_one_letter_in_a_file_already_read_is_seen(flow: Path) -> None:
    file = flow / "copied_flow" / "method.py"
    add(file, "SCALE = 1\n")
    state = file.stat()
    with Same(with_flow(flow), same=False):
        edit(file, "SCALE = 1\n", "SCALE = 2\n")
        os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
        assert file.stat().st_size == state.st_size


IMPORTS = [
    "from . import lazy",
    "from .lazy import x",
    "from .lazy import *",
    "from copied_flow import lazy",
    "from copied_flow.lazy import x",
    "import copied_flow.lazy",
    "import copied_flow.lazy as other",
    "import os, copied_flow.lazy",
    "def f():\n    from . import lazy",
    "class C:\n    def f(self):\n        if self:\n            import copied_flow.lazy",
    "try:\n    pass\nexcept ImportError:\n    from .lazy import x",
    "try:\n    pass\nfinally:\n    from .lazy import x",
    "async def f():\n    with f:\n        for x in f:\n            from .lazy import x",
    "match 1:\n    case 1:\n        from .lazy import x",
    "if TYPE_CHECKING:\n    pass\nelse:\n    from .lazy import x",
    "from .between import x",
    "from .below import x",
    "from .below.deep import x",
    "import copied_beside",
    "import copied_beside_alone",
]


@pytest.mark.parametrize("imports", IMPORTS)
def test_a_module_that_is_imported_counts(flow: Path, imports: str) -> None:
    home = flow / "copied_flow"
    add(home / "method.py", f"\n{imports}\n")
    add(home / "between.py", "from . import lazy\n")
    (home / "below").mkdir()
    add(home / "below" / "__init__.py", "from ..lazy import x\n")
    add(home / "below" / "deep.py", "x = 1\n")
    (flow / "copied_beside").mkdir()
    add(flow / "copied_beside" / "__init__.py", "from copied_flow import lazy\n")
    add(flow / "copied_beside_alone.py", "from copied_flow import lazy\n")
    add(home / "lazy.py", "x = 1\n")
    with Same(with_flow(flow), same=False):
        edit(home / "lazy.py", "x = 1", "x = 2")


def test_importing_below_a_package_imports_the_package(flow: Path) -> None:
    home = flow / "copied_flow"
    for name in ("a", "a/b"):
        (home / name).mkdir()
        add(home / name / "__init__.py", "x = 1\n")
    add(home / "a" / "b" / "c.py", "x = 1\n")
    add(home / "method.py", "\nimport copied_flow.a.b.c\n")
    run = with_flow(flow)
    for file in ("a/__init__.py", "a/b/__init__.py", "a/b/c.py"):
        with Same(run, same=False):
            edit(home / file, "x = 1", "x = 2")


def test_a_package_given_by_itself_sees_what_lies_beside_it(flow: Path) -> None:
    add(flow / "copied_beside.py", "x = 1\n")
    add(flow / "copied_flow" / "method.py", "\nimport copied_beside\n")
    run = composed(f"methods.path=[{flow / 'copied_flow'},{flow / 'copied_points'}]", "method=toy_flow")
    with Same(run, same=False):
        edit(flow / "copied_beside.py", "x = 1", "x = 2")


class Point:
    """An entry point, as `importlib.metadata` gives it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def load(self) -> ModuleType:
        return importlib.import_module(self.name)


def install(monkeypatch: pytest.MonkeyPatch, site: Path, *names: str) -> None:
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setattr(metadata, "entry_points", lambda group: [Point(name) for name in names])


def test_of_installed_packages_their_own_modules_count(flow: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, flow, "copied_flow", "copied_points")
    add(flow / "copied_beside.py", "x = 1\n")
    add(flow / "copied_flow" / "method.py", "\nimport copied_beside\n")
    run = composed("method=toy_flow")
    for package in ("flow", "points"):
        with Same(run, same=False):
            add(flow / f"copied_{package}" / "config.py", "x = 1\n")
    with Same(run, same=True):
        edit(flow / "copied_beside.py", "x = 1", "x = 2")


def test_an_installed_method_may_be_one_file(flow: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, flow, "copied_single", "copied_points")
    code = (flow / "copied_flow" / "__init__.py").read_text() + (TOYS / "toy_flow" / "config.py").read_text()
    code = code.replace("from __future__ import annotations", "")
    code = code.replace('".config:', '"copied_single:').replace('".method:', '"copied_single:')
    (flow / "copied_single.py").write_text(code)
    with Same(composed("method=toy_flow"), same=False):
        add(flow / "copied_single.py", "x = 1\n")


def test_what_lies_below_an_excluded_package_is_excluded(flow: Path) -> None:
    with_it = flow / "copied_flow" / "method.py"
    add(with_it, "\nimport runner.compare.table\n")
    assert not any(name.startswith("runner.compare") for name in modules(with_flow(flow)))


def test_the_settings_module_of_a_data_set_counts_though_no_loader_imports_it() -> None:
    run = composed(*PLAIN)
    entry = replace(run.dataset.entry, load="datasets.types:load")
    found = modules(replace(run, dataset=replace(run.dataset, entry=entry)))
    assert "datasets.config" in found
    assert "datasets.build" not in found


def test_a_module_counts_by_its_name(flow: Path) -> None:
    home = flow / "copied_flow"
    add(home / "one.py", "x = 1\n")
    add(home / "two.py", "x = 2\n")
    add(home / "method.py", "\nfrom . import one, two\n")
    with Same(with_flow(flow), same=False):
        (home / "one.py").write_text("x = 2\n")
        (home / "two.py").write_text("x = 1\n")


BROKEN = {
    "syntax": "x = (\n",
    "zero": "x = '\0'\n",
    "too large to spell": "x = 0x" + "f" * 10_000 + "\n",
    "too deep to parse": "x = " + "-" * 200_000 + "1\n",
    "too deep to walk": "x = " + "+".join("1" * 3_000) + "\n",
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_file_that_cannot_be_parsed_counts_by_its_bytes(flow: Path, broken: str) -> None:
    add(flow / "copied_flow" / "method.py", "\ndef f():\n    from . import broken\n")
    add(flow / "copied_flow" / "broken.py", broken)
    with Same(with_flow(flow), same=False):
        add(flow / "copied_flow" / "broken.py", "# a comment\n")


def test_more_dots_than_packages_are_left_to_python(flow: Path) -> None:
    with Same(with_flow(flow), same=False):
        add(flow / "copied_flow" / "method.py", "\ndef f():\n    from ...... import lazy\n")


def test_the_place_of_methods_does_not_count(flow: Path, tmp_path: Path) -> None:
    first = parts(with_flow(flow))
    for name in [name for name in sys.modules if name.startswith("copied_")]:
        del sys.modules[name]
    sys.path.remove(str(flow))
    assert parts(with_flow(shutil.copytree(flow, tmp_path / "other" / "place"))) == first


def test_all_that_python_imports_is_found() -> None:
    code = """
import sys, runner.run, methods.realnvp.method, datasets.digits
print(" ".join(name for name in sys.modules if name.split(".")[0] in ("runner", "methods", "datasets")))
"""
    loaded = set(python(code).split())
    found = modules(composed(*PLAIN)).keys()
    missed = {name for name in loaded - found if not any(of_(name) for of_ in map(below, NO_NUMBER))}
    assert not missed
    assert {"methods.realnvp.coupling", "runner.engine.loop", "datasets.digits"} <= found & loaded


def below(home: str) -> Callable[[str], bool]:
    return lambda name: name == home or name.startswith(f"{home}.")


def test_what_is_said_to_change_no_number_is_there_and_not_found() -> None:
    """`runner.search` may come; of all others a wrong name would exclude nothing."""
    files = {name: ROOT.joinpath(*name.split(".")) for name in NO_NUMBER}
    there = {name for name, at in files.items() if at.is_dir() or at.with_suffix(".py").is_file()}
    assert NO_NUMBER - there <= {"runner.search"}
    found = modules(composed(*PLAIN))
    assert not any(below(home)(name) for home in NO_NUMBER for name in found)


def test_a_second_look_parses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    run = composed(*PLAIN)
    first = parts(run)
    monkeypatch.setattr(ast, "parse", lambda source: pytest.fail("parsed again"))
    assert parts(run) == first


@pytest.mark.parametrize("dataset", ["digits", "mnist", "lsun_church"])
def test_an_identity_imports_nothing_heavy(dataset: str) -> None:
    python(
        "import sys\n"
        "from runner.compose import Composer\n"
        "from runner.identity.parts import identity\n"
        f"identity(Composer(['method=realnvp', 'dataset={dataset}']).compose())\n"
        "heavy = {'torch', 'torchvision', 'sklearn', 'numpy', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )


def test_the_code_of_a_check_counts_where_it_is_the_task(flow: Path) -> None:
    for words, same in ((("task=check/log_det",), False), ((), True)):
        with Same(with_flow(flow, *words), same=same):
            add(flow / "copied_flow" / "checks.py", "\nMORE = 1\n")
