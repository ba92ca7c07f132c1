"""Finished stages as folders: whole or not at all, found again by what made them, computed once at a time."""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from runner import atomic
from runner.api import Artifact
from runner.engine import projector
from runner.engine.journal import METRICS
from runner.engine.ledger import Finished
from runner.engine.tree import tensors

log = logging.getLogger("reclaim")
RECORD = "artifact.json"
SCRAPS = ("blocks.json", "checkpoints")
"""What a stage needs until it is finished."""

NOTES = (METRICS, "figures", projector.FOLDER, projector.CONFIG)
"""How a stage went, which is kept with what it made, but is no part of it."""


def read(folder: Path) -> Artifact | None:
    """The artifact in `folder`, or None if there is no whole one."""
    record = folder / RECORD
    if not record.is_file():
        return None
    return Artifact(folder, json.loads(record.read_text())["metrics"])


def content_of(artifact: Artifact) -> str:
    """Hash of what an artifact holds; two artifacts with the same tensors and files have the same."""
    return str(json.loads((artifact.path / RECORD).read_text())["content"])


def finished(artifact: Artifact) -> Finished:
    """What the stage that left `artifact` came to."""
    record = json.loads((artifact.path / RECORD).read_text())
    return Finished(record["metrics"], record["steps"], record["parameters"])


def finish(work: Path, folder: Path, result: Finished) -> Artifact:
    """Declares the folder `work` whole, and gives it its name."""
    atomic.write_json(work / RECORD, {**vars(result), "content": hash_folder(work)})
    settle(work, folder)
    return Artifact(folder, result.metrics)


def settle(work: Path, folder: Path) -> Artifact | None:
    """The artifact `folder`, renamed from `work` if that was declared whole before the run was killed."""
    if (work / RECORD).is_file():
        sweep(work)
        (work / "blocks.json").unlink(missing_ok=True)
        shutil.rmtree(work / "checkpoints", ignore_errors=True)
        os.replace(work, folder)
        atomic.sync_folder(folder.parent)
    return read(folder)


def sweep(folder: Path) -> None:
    """Removes what a kill left of files that were being written; nobody else may be writing there."""
    for path in folder.rglob(".*.tmp"):
        path.unlink(missing_ok=True)


def hash_folder(folder: Path) -> str:
    """Hash of what a stage made; of saved tensors the numbers count, since a file may embed its name."""
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".")):
        name = path.relative_to(folder)
        if name.parts[0] not in (RECORD, *SCRAPS, *NOTES):
            digest.update(str(name).encode() + b"\0")
            digest.update(hash_tensors(path) if path.suffix == ".pt" else _hash_bytes(path))
    return digest.hexdigest()


def _hash_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def hash_tensors(path: Path) -> bytes:
    """Hash of the names, shapes, types and numbers in a file of tensors."""
    digest = hashlib.sha256()
    content = torch.load(path, map_location="cpu", weights_only=True)
    for name, tensor in tensors(content):
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.digest()


def hash_code(module_file: str | None) -> str:
    """Hash of the Python files in the folder of a module."""
    digest = hashlib.sha256()
    for path in sorted(Path(module_file or "").parent.rglob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def key(parts: Mapping[str, Any]) -> str:
    """Name of an artifact: a hash of everything that it depends on."""
    text = json.dumps(parts, sort_keys=True, default=_as_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _as_plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    raise TypeError(
        f"a stage's config holds a {type(value).__name__}, which has no fixed text to make a key of"
    )


@contextmanager
def locked(path: Path, stop: Callable[[], None], busy: str) -> Iterator[None]:
    """Holds the lock file `path`; while another process does, says `busy` once, waits, and calls `stop`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        told = False
        while not _try_lock(file.fileno()):
            if not told:
                log.info(busy)
                told = True
            stop()
            time.sleep(0.2)
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
