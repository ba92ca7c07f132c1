"""What a Python source does and imports: its syntax tree without what changes nothing."""

from __future__ import annotations

import ast
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from importlib.util import resolve_name
from pathlib import Path

BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
"""Where statements hold statements."""


def with_parents(modules: Iterable[str]) -> frozenset[str]:
    """`a`, `a.b` and `a.b.c` for `a.b.c`: importing one imports all."""
    parts = (module.split(".") for module in modules)
    return frozenset(".".join(names[:count]) for names in parts for count in range(1, len(names) + 1))


def read(file: str, module: str) -> tuple[str, frozenset[str]]:
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
    return hashlib.sha256(text).hexdigest(), with_parents(imported)


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
