"""What of a run is finished: stages and artifacts, and how far the journal reached when they were."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner import atomic

NAME = "progress.json"


class Ledger:
    """The `progress.json` of a run's folder, written whole at every change.

    Attributes:
        stages: metrics, steps and parameters of the finished stages, by name.
        artifacts: folders of the finished artifacts, by name.
        journal: how far the journal reached after the last of them.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        saved = json.loads(self._path.read_text()) if self._path.is_file() else {}
        self.stages: dict[str, dict[str, Any]] = saved.get("stages", {})
        self.artifacts: dict[str, str] = saved.get("artifacts", {})
        self.journal: dict[str, int] = saved.get("journal", {})

    def note_artifact(self, label: str, folder: Path, journal: dict[str, int]) -> None:
        """The artifact `label` is whole and its curve is in the journal."""
        self.artifacts[label] = str(folder)
        self._write(journal)

    def finish_stage(
        self, name: str, metrics: Mapping[str, float], steps: int, parameters: int, journal: dict[str, int]
    ) -> None:
        """The stage `name` is finished."""
        self.stages[name] = {"metrics": dict(metrics), "steps": steps, "parameters": parameters}
        self._write(journal)

    def _write(self, journal: dict[str, int]) -> None:
        self.journal = journal
        value = {"stages": self.stages, "artifacts": self.artifacts, "journal": self.journal}
        atomic.write_json(self._path, value)
