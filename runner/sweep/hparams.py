"""The rows of a sweep in TensorBoard's HParams view, one for each job, kept in the job's own event file.

TensorBoard keeps the first description that it finds in a file, and takes the view's columns from the file of
any one job. So a row that was there before is replaced, and every job's file describes the same columns.

Needs tensorboard, not torch.
"""

from __future__ import annotations

import json
import logging
import os
import re
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, metadata
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo, SessionStartInfo

from runner.engine.journal import Events
from runner.errors import ConfigError
from runner.folder import locked

log = logging.getLogger("reclaim")
Value = bool | int | float | str | Sequence[Any] | None
Kind = Literal["bool", "number", "text"]
TYPES = {
    "bool": api_pb2.DATA_TYPE_BOOL,
    "number": api_pb2.DATA_TYPE_FLOAT64,
    "text": api_pb2.DATA_TYPE_STRING,
}
FIELDS = {"bool": "bool_value", "number": "number_value", "text": "string_value"}
STATUSES = {"completed": api_pb2.STATUS_SUCCESS, "failed": api_pb2.STATUS_FAILURE}
LARGEST = 2**53  # above it a double leaves integers out


@dataclass(frozen=True)
class Column:
    """A hyperparameter: how its values are kept, and which there are.

    `domain` is all that the jobs of the sweep give it, sorted; of numbers the least and the greatest are
    enough. Where it is empty, as before a search, the view cannot be narrowed down by a choice of values.
    """

    kind: Kind
    domain: tuple[Any, ...]

    def cell(self, value: Value) -> Any:
        """The value as the column keeps it; None is the text `null` there, or no value among numbers."""
        return _text(value) if self.kind == "text" else value


@dataclass(frozen=True)
class Row:
    """What one job has to show: its values, its status, and the tags of its final metrics."""

    values: Mapping[str, Value]
    status: str
    tags: tuple[str, ...] = ()


def columns(jobs: Sequence[Mapping[str, Value]]) -> dict[str, Column]:
    """The hyperparameters in which the jobs of a sweep differ; a key that a job lacks counts as None.

    A column of numbers alone, or of truth values alone, stays what it is; anything else, such as None or a
    number that is not finite, makes it one of texts.
    """
    found = {key: [job.get(key) for job in jobs] for key in dict.fromkeys(chain.from_iterable(jobs))}
    made = {key: _column(values) for key, values in found.items()}
    return {key: column for key, column in made.items() if len(column.domain) > 1}


def _column(values: Sequence[Value]) -> Column:
    kind = _kind(values)
    domain: set[Any] = {_text(value) if kind == "text" else value for value in values}
    return Column(kind, tuple(sorted(domain)))


def _kind(values: Sequence[Value]) -> Kind:
    if all(isinstance(value, bool) for value in values):
        return "bool"
    return "number" if all(map(_is_number, values)) and not _look_alike(values) else "text"


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST


def _look_alike(values: Sequence[Value]) -> bool:
    """Whether integers, as seeds are, could not be told apart in the five digits that the view shows."""
    whole = {value for value in values if isinstance(value, int)}
    return len({f"{value:.5g}" for value in whole}) < len(whole)


def _text(value: Value) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


@dataclass
class Table:
    """The rows of a sweep so far; each `add` brings the files of all jobs that it concerns up to date.

    `metric` is the one to show first, such as what a search goes by.
    """

    columns: Mapping[str, Column]
    metric: str | None = None
    rows: dict[Path, Row] = field(default_factory=dict)

    def add(self, folder: Path, values: Mapping[str, Value], metrics: Iterable[str], status: str) -> None:
        """Writes the row of a job that has ended, and again those of others if it brings a new metric.

        Args:
            folder: The job's folder; it exists, and nothing runs in it.
            values: The job's hyperparameters; those that are no columns are left out.
            metrics: Names of its final metrics as in `result.json`, e.g. `test/bits_per_dim`.
            status: completed, failed, or anything else, which the view has no word for: unknown.

        A row that cannot be written is a warning and no more: the job's result does not depend on it.
        """
        known = self._tags()
        with _only_warning(folder):
            self.rows[folder] = Row(values, status, tuple(_tags(folder, metrics)))
            self._write((folder,) if self._tags() == known else tuple(self.rows))

    def _write(self, places: Iterable[Path]) -> None:
        for place in places:
            with _only_warning(place):
                write_row(place, self.rows[place], self._tags(), self.columns)

    def _tags(self) -> list[str]:
        """All jobs' metrics, `metric` and then those of the test split first: the view shows five unless told
        to show more."""
        tags = dict.fromkeys(chain.from_iterable(row.tags for row in self.rows.values()))
        return sorted(tags, key=lambda tag: (_name(tag) != self.metric, not _name(tag).startswith("test/")))


@contextmanager
def _only_warning(folder: Path) -> Iterator[None]:
    try:
        yield
    except (ConfigError, OSError) as error:
        busy = "in use by another process" in str(error)  # a job that runs; its row comes when it has ended
        log.log(
            logging.DEBUG if busy else logging.WARNING,
            "TensorBoard's row of %s is not written: %s",
            folder.name,
            error,
        )


def write_row(folder: Path, row: Row, tags: Sequence[str], keys: Mapping[str, Column]) -> None:
    """Puts a job's row at the end of its event file, in place of an earlier one.

    `tags` are the metrics of all jobs and `keys` the columns of the sweep, the same in each job's file.
    Raises `ConfigError` if another process runs in the folder.
    """
    with locked(folder), closing(Events(folder)) as events:
        events.sync()
        past = _Past.of(folder)
        events.rewind(past.end)
        events.record(_event(row, _experiment(tags, keys), keys, past))
        events.sync()


def _event(row: Row, experiment: Any, keys: Mapping[str, Column], past: _Past) -> Any:
    """The row as one record, so that it is there whole or not at all."""
    start = SessionStartInfo(start_time_secs=past.began)
    for key, column in keys.items():
        cell = column.cell(row.values.get(key))
        if cell is not None:
            setattr(start.hparams[key], FIELDS[column.kind], cell)
    end = SessionEndInfo(status=STATUSES.get(row.status, api_pb2.STATUS_UNKNOWN), end_time_secs=past.ended)
    values = [
        _value(metadata.EXPERIMENT_TAG, HParamsPluginData(experiment=experiment)),
        _value(metadata.SESSION_START_INFO_TAG, HParamsPluginData(session_start_info=start)),
        _value(metadata.SESSION_END_INFO_TAG, HParamsPluginData(session_end_info=end)),
    ]
    return Event(wall_time=past.ended, summary=Summary(value=values))


def _value(tag: str, data: Any) -> Any:
    return Summary.Value(
        tag=tag, metadata=metadata.create_summary_metadata(data), tensor=metadata.NULL_TENSOR
    )


def _experiment(tags: Sequence[str], keys: Mapping[str, Column]) -> Any:
    return api_pb2.Experiment(
        hparam_infos=[_hparam(key, column) for key, column in keys.items()],
        metric_infos=[
            api_pb2.MetricInfo(name=api_pb2.MetricName(tag=tag), display_name=_name(tag)) for tag in tags
        ],
    )


def _hparam(key: str, column: Column) -> Any:
    info = api_pb2.HParamInfo(name=key, type=TYPES[column.kind], differs=True)
    if column.kind != "number":
        info.domain_discrete.extend(column.domain)
    elif column.domain:
        info.domain_interval.min_value, info.domain_interval.max_value = column.domain[0], column.domain[-1]
    return info


def _tags(folder: Path, metrics: Iterable[str]) -> list[str]:
    """The scalars that hold these metrics in a job's event file: those called final where there are such."""
    scalars = _Past.of(folder).tags
    final = {_name(tag): tag for tag in sorted(scalars, key=lambda tag: tag != _name(tag))}
    return [final[metric] for metric in metrics if metric in final]


def _name(tag: str) -> str:
    """A metric's name: its tag without the `final/` that stands first or behind a stage's name."""
    return re.sub(r"(^|/)final/", r"\1", tag, count=1)


@dataclass
class _Past:
    """What an event file holds besides the row: its scalars, its first and last time, and where it ends."""

    end: int = 0
    tags: set[str] = field(default_factory=set)
    began: float = 0.0
    ended: float = 0.0

    @classmethod
    def of(cls, folder: Path) -> _Past:
        """Reads the file, if there is one; a torn record at its end, as a full disk leaves it, is no part."""
        past = cls()
        for file in sorted(folder.glob("events.out.tfevents.*"))[:1]:
            for end, event in _records(file):
                past._take(end, event)
        return past

    def _take(self, end: int, event: Any) -> None:
        tags = {value.tag for value in event.summary.value}
        if metadata.SESSION_START_INFO_TAG in tags:
            return
        self.end, self.tags = end, self.tags | tags
        self.began, self.ended = self.began or event.wall_time, event.wall_time


def _records(file: Path) -> Iterator[tuple[int, Any]]:
    """The whole records of an event file, each with where it ends: a length, its checksum, data, theirs."""
    with file.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        while len(head := stream.read(12)) == 12:
            end = stream.tell() + struct.unpack("<Q", head[:8])[0] + 4
            if end > size:
                return
            data = stream.read(end - stream.tell())
            yield end, _parsed(data[:-4], file)


def _parsed(data: bytes, file: Path) -> Any:
    try:
        return Event.FromString(data)
    except Exception as error:  # protobuf's own, which has no types
        raise ConfigError(f"{file} is damaged ({error})") from None
