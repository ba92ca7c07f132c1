"""What a run writes down as it goes: `metrics.jsonl` for machines, one TensorBoard event file for eyes.

Both are append-only and can be cut back to an earlier position, so that a resumed run's log equals an
unbroken one's. `metrics.jsonl` holds no times; they go to TensorBoard alone, and are lost where a curve is
replayed.
"""

from __future__ import annotations

import io
import json
import logging
import math
import os
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from runner.atomic import write_bytes
from runner.engine import projector
from runner.errors import ConfigError

log = logging.getLogger("reclaim")
Position = dict[str, int]
METRICS = "metrics.jsonl"

Drawn = bytes | projector.Files
"""A picture as a PNG file, or embeddings as the files of TensorBoard's projector."""


class Log(Protocol):
    """Where a stage's numbers go; a `Journal` or a `Curve`."""

    def write(self, stage: str, step: int, metrics: Mapping[str, float], prefix: str = "") -> None: ...

    def speed(self, step: int, values: Mapping[str, float], prefix: str = "") -> None: ...

    def picture(self, name: str, step: int, drawn: Drawn, prefix: str = "") -> None: ...

    def sync(self) -> Position: ...

    def rewind(self, position: Position) -> None: ...


def line(stage: str, step: int, metrics: Mapping[str, float]) -> bytes:
    """One line of `metrics.jsonl`; numbers that are not finite become null."""
    finite = {name: value if math.isfinite(value) else None for name, value in metrics.items()}
    return (json.dumps({"stage": stage, "step": step, **finite}) + "\n").encode()


def read(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a `metrics.jsonl`; a torn last line, as a kill leaves it, is passed over."""
    if path.is_file():
        with path.open("rb") as file:
            for text in file:
                if text.endswith(b"\n"):
                    yield json.loads(text)


class Silent:
    """A log that keeps nothing: for what is in the journal already, and for processes that do not lead."""

    def write(self, stage: str, step: int, metrics: Mapping[str, float], prefix: str = "") -> None: ...

    def speed(self, step: int, values: Mapping[str, float], prefix: str = "") -> None: ...

    def picture(self, name: str, step: int, drawn: Drawn, prefix: str = "") -> None: ...

    def rewind(self, position: Position) -> None: ...

    def sync(self) -> Position:
        return {}

    def close(self) -> None: ...


class Journal:
    """The log of a run's folder.

    Each line's metrics also become TensorBoard scalars under `prefix + name`. A prefix, where there is one,
    also takes the place of the stage's name, which another method's stage may have too.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._metrics = _appending(folder / METRICS)
        self._events = Events(folder)

    def write(self, stage: str, step: int, metrics: Mapping[str, float], prefix: str = "") -> None:
        self._metrics.write(line(prefix.rstrip("/") or stage, step, metrics))
        self._metrics.flush()
        self._events.scalars(step, {prefix + name: value for name, value in metrics.items()})

    def speed(self, step: int, values: Mapping[str, float], prefix: str = "") -> None:
        self._events.scalars(step, {prefix + name: value for name, value in values.items()})

    def picture(self, name: str, step: int, drawn: Drawn, prefix: str = "") -> None:
        _keep(self.folder, (prefix + name).replace("/", "-"), drawn)
        if isinstance(drawn, bytes):
            self._events.image(step, prefix + name, drawn)

    def sync(self) -> Position:
        """Puts everything written on disk and returns how far it reaches."""
        return {"metrics": _synced(self._metrics), "events": self._events.sync()}

    def rewind(self, position: Position) -> None:
        """Forgets what was written after `position`."""
        _cut(self._metrics, position.get("metrics", 0))
        self._events.rewind(position.get("events", 0))

    def close(self) -> None:
        self.sync()
        self._metrics.close()
        self._events.close()


class Curve:
    """The log of a stage whose result may be shared: its own file, mirrored into the run's journal.

    The file stays with the result and is replayed wherever the result is taken up, so that a run's log does
    not depend on which of its stages were computed before.
    """

    def __init__(self, folder: Path, journal: Log, start: Position, prefix: str) -> None:
        self._file = _appending(folder / METRICS)
        self._folder, self._journal, self._start, self._prefix = folder, journal, start, prefix

    def write(self, stage: str, step: int, metrics: Mapping[str, float], prefix: str = "") -> None:
        self._file.write(line(stage, step, metrics))
        self._file.flush()
        self._journal.write(stage, step, metrics, prefix)

    def speed(self, step: int, values: Mapping[str, float], prefix: str = "") -> None:
        self._journal.speed(step, values, prefix)

    def picture(self, name: str, step: int, drawn: Drawn, prefix: str = "") -> None:
        _keep(self._folder, name, drawn)
        self._journal.picture(name, step, drawn, prefix)

    def sync(self) -> Position:
        return {"metrics": _synced(self._file)}

    def rewind(self, position: Position) -> None:
        _cut(self._file, position.get("metrics", 0))
        self._journal.rewind(self._start)
        replay(self._folder, self._journal, self._prefix, pictures=False)

    def close(self) -> None:
        self.sync()
        self._file.close()


def replay(folder: Path, journal: Log, prefix: str, pictures: bool = True) -> None:
    """Writes a stage's curve, and the pictures that it ended with, into the run's journal."""
    step = 0
    for entry in read(folder / METRICS):
        stage, step = entry.pop("stage"), entry.pop("step")
        journal.write(stage, step, {k: math.nan if v is None else v for k, v in entry.items()}, prefix)
    if pictures:
        for picture in sorted((folder / "figures").glob("*.png")):
            journal.picture(picture.stem, step, picture.read_bytes(), prefix)
        for name, files in projector.kept(folder).items():
            journal.picture(name, step, files, prefix)


def _keep(folder: Path, name: str, drawn: Drawn) -> None:
    if isinstance(drawn, bytes):
        (folder / "figures").mkdir(exist_ok=True)
        write_bytes(folder / "figures" / f"{name}.png", drawn)
    else:
        projector.keep(folder, name, drawn)


class Events:
    """One TensorBoard event file that can be appended to after a restart; needs tensorboard, not torch."""

    def __init__(self, folder: Path) -> None:
        found = sorted(folder.glob("events.out.tfevents.*"))
        name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}"
        self._file = _appending(found[0] if found else folder / name)
        if self._file.tell() == 0:
            self._begin()

    def _begin(self) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self.record(Event(wall_time=time.time(), file_version="brain.Event:2"))

    def record(self, event: Any) -> None:
        """Appends one event of tensorboard's."""
        from tensorboard.summary.writer.record_writer import RecordWriter

        RecordWriter(self._file).write(event.SerializeToString())

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        summary = Summary(
            value=[Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        )
        self.record(Event(wall_time=time.time(), step=step, summary=summary))
        self._file.flush()

    def image(self, step: int, name: str, png: bytes) -> None:
        from PIL import Image
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        width, height = Image.open(io.BytesIO(png)).size
        image = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=png)
        self.record(
            Event(
                wall_time=time.time(),
                step=step,
                summary=Summary(value=[Summary.Value(tag=name, image=image)]),
            )
        )
        self._file.flush()

    def sync(self) -> int:
        return _synced(self._file)

    def rewind(self, position: int) -> None:
        if _size(self._file) < position:
            log.warning("the event file was lost or cut; its earlier curves are in %s alone", METRICS)
            position = 0
        _cut(self._file, position)
        if position == 0:
            self._begin()

    def close(self) -> None:
        self._file.close()


def _appending(path: Path) -> BinaryIO:
    return path.open("ab")


def _synced(file: BinaryIO) -> int:
    file.flush()
    os.fsync(file.fileno())
    return file.tell()


def _size(file: BinaryIO) -> int:
    file.flush()
    return file.seek(0, os.SEEK_END)


def _cut(file: BinaryIO, position: int) -> None:
    if _size(file) < position:
        raise ConfigError(
            f"{file.name} is shorter than its checkpoint says; it was changed by something else"
        )
    file.truncate(position)
    file.seek(position)
