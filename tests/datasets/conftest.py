"""What the tests of data sets share: settings from the YAML, temporary places, a small server."""

from __future__ import annotations

import dataclasses
import hashlib
import http.server
import threading
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from datasets import sources
from datasets.catalog import ENTRIES
from datasets.types import Access, Images

CONF = Path(__file__).parents[2] / "conf" / "dataset"

torch.set_num_threads(1)


def entry_of(name: str) -> Any:
    return next(entry for entry in ENTRIES if entry.name == name)


def settings_of(name: str, **changes: Any) -> Any:
    """The YAML's values with `changes`, as the data set's dataclass."""
    values = {**yaml.safe_load((CONF / f"{name}.yaml").read_text()), **changes}
    return entry_of(name).config(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


@pytest.fixture
def settings() -> Callable[..., Any]:
    return settings_of


@pytest.fixture
def access(tmp_path: Path) -> Access:
    (tmp_path / "root").mkdir()
    return Access(tmp_path / "root", None, tmp_path / "cache", False, 1)


@pytest.fixture
def load(access: Access) -> Callable[..., Images]:
    def loaded(name: str, **changes: Any) -> Images:
        module, _, function = entry_of(name).load.partition(":")
        return getattr(import_module(module), function)(settings_of(name, **changes), access, "images")

    return loaded


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch, access: Access) -> Callable[[str], Path]:
    """Declares the files below `<root>/<name>` the official ones, by their checksums; returns that folder."""

    def published(name: str, **changes: Any) -> Path:
        folder = access.root / name
        official = getattr(sources, name)

        def files(config: Any) -> list[Any]:
            return [retold(file, folder) for file in official(config)]

        monkeypatch.setattr(sources, name, files)
        return folder

    return published


def retold(file: Any, folder: Path) -> Any:
    path = folder / file.name
    if not path.is_file():
        return file
    checksum = "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
    return dataclasses.replace(file, checksum=checksum, content=None, also=(), bytes=path.stat().st_size)


@pytest.fixture
def random_images() -> Callable[..., np.ndarray]:
    """uint8 images that differ from each other, always the same ones."""

    def images(*shape: int, seed: int = 0) -> np.ndarray:
        return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)

    return images


def everything(split: Any) -> Any:
    """All images and labels of a part."""
    return split.batch(torch.arange(len(split)))


@pytest.fixture(name="everything")
def everything_fixture() -> Callable[[Any], Any]:
    return everything


class Served:
    """A loopback server of `files`; `asked` lists the paths that were asked for."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.promised: dict[str, int] = {}
        self.asked: list[str] = []
        self.address = ""


@pytest.fixture
def server() -> Iterator[Served]:
    served = Served()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append(self.path)
            body = served.files.get(self.path)
            if body is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(served.promised.get(self.path, len(body))))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        served.address = f"http://127.0.0.1:{running.server_port}"
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield served
        running.shutdown()
