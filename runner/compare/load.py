"""A run's folder, read: its configuration, how it ended, its final metrics and its curves."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import yaml

from runner.errors import ConfigError
from runner.settings import flat

UNFINISHED = "running or killed"
PRUNED = "pruned"

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MADE_BY = ("device", "precision", "threads", "versions", "git", "data")
_BYTES_AT_ONCE = 1 << 18


@dataclass(frozen=True)
class Run:
    """One run's folder; `config` has dotted keys and is None where there is no readable config.yaml.

    `choices` are the names of its method and its data set, as far as they are known.
    """

    folder: Path
    config: dict[str, Any] | None
    result: dict[str, Any]
    choices: dict[str, str]
    overrides: list[str]
    warnings: list[str] = field(default_factory=list, compare=False)

    @property
    def status(self) -> str:
        status = str(self.result.get("status", UNFINISHED))
        return PRUNED if status == "stopped" and (self.error or "").startswith(f"{PRUNED}: ") else status

    @property
    def error(self) -> str | None:
        error = self.result.get("error")
        return None if error is None else str(error)

    @property
    def seed(self) -> Any:
        return self.result.get("seed", (self.config or {}).get("seed"))

    @property
    def seconds(self) -> float | None:
        return number(self.result.get("seconds"))

    @property
    def environment(self) -> dict[str, Any]:
        """What the result says of the machine, the code and the data: flat, dotted keys."""
        known = {key: self.result[key] for key in _MADE_BY if key in self.result}
        return flat(known) if known else {}

    @property
    def metrics(self) -> dict[str, float]:
        """The result's metrics; without any, the last values that were logged."""
        final = self.result.get("metrics")
        numbers = _numbers(final) if isinstance(final, dict) else {}
        return numbers or self._last[1]

    @property
    def logged(self) -> list[str]:
        """Names of all that was logged."""
        return list(self._last[1])

    @property
    def steps(self) -> int | None:
        steps = number(self.result.get("steps"))
        return self._last[0] if steps is None else int(steps)

    @cached_property
    def _last(self) -> tuple[int | None, dict[str, float]]:
        last: dict[str, float] = {}
        steps: int | None = None
        for row in chain.from_iterable(read_rows(self.folder / "metrics.jsonl", self.warnings)):
            step = number(row.pop("step", None))
            steps = steps if step is None else max(steps or 0, int(step))
            last.update(_numbers(row))
        return steps, last


def load_run(folder: Path) -> Run:
    """Reads a run's configuration and result; what cannot be read becomes a warning, not an error."""
    warnings: list[str] = []
    config = _read_yaml(folder / "config.yaml", warnings)
    result = _read_json(folder / "result.json", warnings)
    choices = _choices(config or {}, result)
    overrides = result.get("overrides") or _read_yaml(folder / ".hydra" / "overrides.yaml", [], list) or []
    known = None if config is None else flat(config)
    return Run(folder, known, result, choices, [str(word) for word in overrides], warnings)


def read_rows(path: Path, warnings: list[str]) -> Iterator[list[dict[str, Any]]]:
    """The objects of a file of one JSON object a line, many at once; only a torn last line is no fault.

    Raises `ConfigError` where the file is there and cannot be read.
    """
    if not path.exists():
        return
    broken, last_is_broken = 0, False
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            while chunk := lines.readlines(_BYTES_AT_ONCE):
                rows = _parse(chunk)
                kept = [row for row in rows if isinstance(row, dict)]
                broken += len(rows) - len(kept)
                last_is_broken = bool(rows) and not isinstance(rows[-1], dict)
                yield kept
    except OSError as fault:
        raise ConfigError(f"{path} cannot be read: {fault.strerror}") from fault
    if broken - last_is_broken:
        warnings.append(f"{path}: {broken - last_is_broken} unreadable lines left out")


def _parse(lines: list[str]) -> list[Any]:
    # One call for many lines takes 0.6 of the time; a chunk with a broken line is read again line by line.
    try:
        return list(json.loads("[" + ",".join(lines) + "]"))
    except (ValueError, RecursionError):
        return [_parse_line(line) for line in lines if line.strip()]


def _parse_line(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _choices(config: dict[str, Any], result: dict[str, Any]) -> dict[str, str]:
    chosen = config.pop("choices", None)
    known = chosen if isinstance(chosen, dict) else result
    return {name: known[name] for name in ("method", "dataset") if isinstance(known.get(name), str)}


def _read_yaml(path: Path, warnings: list[str], kind: type = dict) -> Any:
    try:
        node = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as fault:
        warnings.append(f"{path} cannot be read ({type(fault).__name__})")
        return None
    return node if isinstance(node, kind) else None


def _read_json(path: Path, warnings: list[str]) -> dict[str, Any]:
    try:
        node = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as fault:
        warnings.append(f"{path} cannot be read ({type(fault).__name__})")
        return {}
    return node if isinstance(node, dict) else {}


def _numbers(row: dict[str, Any]) -> dict[str, float]:
    pairs = ((name, number(value)) for name, value in row.items())
    return {name: value for name, value in pairs if value is not None}


def number(value: Any) -> float | None:
    """The value if it is a finite number, None otherwise."""
    if type(value) not in (int, float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None
