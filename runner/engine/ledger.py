"""What of a run is finished: stages and artifacts, and how far the journal reached when they were."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner import atomic
from runner.errors import ConfigError

NAME = "progress.json"


@dataclass(frozen=True)
class Finished:
    """What a stage came to: its metrics, the steps it took and the numbers that it trained."""

    metrics: dict[str, float] = field(default_factory=dict)
    steps: int = 0
    parameters: int = 0


class Ledger:
    """The `progress.json` of a run's folder, written whole at every change.

    Attributes:
        stages: what the finished stages came to, by name.
        journal: how far the journal reached after the last of them, and after the last artifact.

    Arguments:
        writes: False where another process keeps the file.
    """

    def __init__(self, folder: Path, writes: bool = True) -> None:
        self._writes = writes
        self._folder, self._path = folder.resolve(), folder / NAME
        try:
            saved: dict[str, Any] = json.loads(self._path.read_text()) if self._path.is_file() else {}
            self.stages = {name: Finished(**value) for name, value in saved.get("stages", {}).items()}
            self._artifacts: dict[str, str] = dict(saved.get("artifacts", {}))
            self.journal: dict[str, int] = dict(saved.get("journal", {}))
        except (ValueError, TypeError, AttributeError) as error:
            raise ConfigError(f"{self._path} is damaged: {' '.join(str(error).split())}") from error

    def artifact(self, label: str) -> Path | None:
        """Folder of the artifact noted under `label`."""
        noted = self._artifacts.get(label)
        return None if noted is None else self._folder / noted

    def note_artifact(self, label: str, place: Path, journal: dict[str, int]) -> None:
        """The artifact `label` is whole, its curve in the journal; a path inside the run is relative."""
        place = place.resolve()
        inside = place.is_relative_to(self._folder)
        self._artifacts[label] = str(place.relative_to(self._folder) if inside else place)
        self._write(journal)

    def finish_stage(self, name: str, finished: Finished, journal: dict[str, int]) -> None:
        """The stage `name` is finished."""
        self.stages[name] = finished
        self._write(journal)

    def _write(self, journal: dict[str, int]) -> None:
        self.journal = journal
        if not self._writes:
            return
        stages = {name: vars(finished) for name, finished in self.stages.items()}
        atomic.write_json(self._path, {"stages": stages, "artifacts": self._artifacts, "journal": journal})
