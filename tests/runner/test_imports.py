"""Who may import whom, read from the imports; and what starts without torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def imported(path: Path) -> set[str]:
    """Dotted names of everything that a file imports, also inside functions."""
    names: set[str] = set()
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module or "") if part)
            names |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return names


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def of_ours(names: set[str]) -> set[str]:
    return {
        name for name in names if name.split(".")[0] in ("runner", "methods", "datasets", "conf", "tests")
    }


@pytest.mark.parametrize("path", sources("methods"), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_method_sees_the_api_the_types_and_its_own_folder(path: Path) -> None:
    own = ".".join(path.relative_to(ROOT).parts[:2]).removesuffix(".py")
    allowed = ("runner.api", "datasets.types", "methods.common", own)
    wrong = {n for n in of_ours(imported(path)) if n != "methods" and not n.startswith(allowed)}
    assert not wrong


@pytest.mark.parametrize("path", sources("datasets"), ids=lambda p: str(p.relative_to(ROOT)))
def test_data_sets_know_neither_methods_nor_the_runner(path: Path) -> None:
    assert not {n for n in of_ours(imported(path)) if not n.startswith("datasets")}


@pytest.mark.parametrize("path", sources("runner"), ids=lambda p: str(p.relative_to(ROOT)))
def test_the_runner_names_no_method_and_no_data_set(path: Path) -> None:
    allowed = ("runner", "datasets.types", "datasets.fetch", "datasets.MARKER")
    wrong = {n for n in of_ours(imported(path)) if n != "datasets" and not n.startswith(allowed)}
    assert not wrong
    names = {p.stem for group in ("method", "dataset") for p in (ROOT / "conf" / group).glob("*.yaml")}
    words = {
        node.value
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert not names & words


@pytest.mark.parametrize("path", sources("methods"), ids=lambda p: str(p.relative_to(ROOT)))
def test_no_method_writes_its_own_bar_checkpoint_or_event_file(path: Path) -> None:
    heads = {name.split(".")[0] for name in imported(path)}
    assert not heads & {"tqdm", "tensorboard", "tensorboardX", "hydra", "omegaconf", "argparse"}


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["list"],
        ["method=nothing"],
        ["method.lrr=1"],
        ["method.lr=abc"],
        ["dataset=digits", "--cfg"],
        ["compare", "--help"],
        ["resume", "/nowhere"],
        ["-sc", "query=bash"],
    ],
    ids=lambda words: " ".join(words),
)
def test_quick_answers_import_no_torch(words: list[str]) -> None:
    code = (
        "import sys, os; os.environ.update(COMP_LINE='run meth', COMP_POINT='8');"
        f"from runner.cli import main; code = main({words!r});"
        "heavy = {'torch', 'torchvision', 'sklearn', 'matplotlib', 'tensorboard'} & set(sys.modules);"
        "assert not heavy, heavy; sys.exit(0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
