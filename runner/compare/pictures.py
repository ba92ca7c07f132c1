"""The runs' own figures, chosen and embedded within a limit."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from runner.compare.group import Comparison
from runner.compare.load import Run
from runner.order import natural

MOST_PICTURES = 12
MOST_BYTES = 4_000_000
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Picture:
    """A PNG as a data URI, with the configuration and the run it belongs to."""

    configuration: str
    run: str
    name: str
    uri: str


def choose_pictures(comparison: Comparison) -> tuple[list[Picture], int]:
    """Pictures within the limits, from each configuration in turn, and how many were left out.

    A configuration is shown by its first counted run, a figure drawn at several steps by the last one.
    """
    turns = zip_longest(
        *(
            [(item.name, run, path) for run, path in _figures(item.counted)]
            for item in comparison.configurations
        )
    )
    chosen: list[Picture] = []
    left_out, room = 0, MOST_BYTES
    for configuration, run, path in (entry for turn in turns for entry in turn if entry is not None):
        content = _read(path, room) if len(chosen) < MOST_PICTURES else None
        if content is None:
            left_out += 1
            continue
        room -= len(content)
        uri = "data:image/png;base64," + base64.b64encode(content).decode()
        chosen.append(Picture(configuration, comparison.names[run.folder], path.stem, uri))
    return sorted(chosen, key=lambda picture: _family(picture.name)), left_out


def _figures(runs: list[Run]) -> Iterator[tuple[Run, Path]]:
    for run in runs:
        found = _latest(sorted((run.folder / "figures").glob("*.png"), key=lambda path: natural(path.name)))
        if found:
            yield from ((run, path) for path in found)
            return


def _latest(paths: list[Path]) -> list[Path]:
    return list({_family(path.stem): path for path in paths}.values())


def _family(name: str) -> str:
    return re.sub(r"[-_ ]*[0-9]+$", "", name)


def _read(path: Path, room: int) -> bytes | None:
    try:
        content = path.read_bytes() if path.stat().st_size <= room else b""
    except OSError:
        return None
    return content if content.startswith(_PNG) else None
