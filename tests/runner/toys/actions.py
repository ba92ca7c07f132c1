"""What the tests of the toys do again and again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.runner.toys.results import the_run
from tests.runner.toys.runs import COMMON, Nursery


def command(place: Path, *words: str, cache: Path | None = None) -> list[str]:
    """The words of a run that writes below `place`."""
    return [*COMMON, f"outputs={place / 'outputs'}", f"data.cache={cache or place / 'cache'}", *words]


def done(nursery: Nursery, place: Path, *words: str, cache: Path | None = None, **more: Any) -> Path:
    """The folder of a run that must end well."""
    place.mkdir(exist_ok=True)
    code = nursery.run(command(place, *words, cache=cache), place / "log", **more)
    assert code == 0, (place / "log").read_text()
    return the_run(place / "outputs")


def result(home: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((home / "result.json").read_text())
    return found


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Waits for a condition."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def lines(outputs: Path, count: int) -> Callable[[], bool]:
    """Whether the one run below `outputs` has logged `count` lines."""
    return lambda: any(len(p.read_bytes().splitlines()) >= count for p in outputs.glob("*/*/metrics.jsonl"))
