"""Finished stages as folders: whole or not at all, and known by what they hold."""

from __future__ import annotations

from pathlib import Path

import torch

from runner.engine import store
from runner.engine.ledger import Finished, Ledger


def made(folder: Path, value: float = 1.0, curve: str = "a") -> Path:
    """A folder as a stage leaves it, with what a kill left beside."""
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "last.pt").write_bytes(b"old")
    (folder / ".weights.pt.7.tmp").write_bytes(b"torn")
    (folder / "metrics.jsonl").write_text(curve)
    torch.save({"net": {"w": torch.full((3,), value)}}, folder / "weights.pt")
    return folder


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_finished_stage_leaves_no_scraps(tmp_path: Path) -> None:
    result = Finished({"test/a": 1.0}, 5, 7)
    artifact = store.finish(made(tmp_path / "x.work"), tmp_path / "x", result)
    assert names(tmp_path) == {"x"}
    assert names(artifact.path) == {"metrics.jsonl", "weights.pt", store.RECORD}
    assert store.finished(artifact) == result


def test_a_kill_before_the_folder_has_its_name_loses_nothing(tmp_path: Path) -> None:
    whole = store.finish(made(tmp_path / "a.work"), tmp_path / "a", Finished({"test/a": 1.0}))
    work = made(tmp_path / "b.work")
    assert store.settle(work, tmp_path / "b") is None
    (work / store.RECORD).write_bytes((whole.path / store.RECORD).read_bytes())
    found = store.settle(work, tmp_path / "b")
    assert found is not None
    assert found.metrics == {"test/a": 1.0}
    assert names(found.path) == names(whole.path)


def test_content_is_what_a_stage_made_and_not_how_it_went(tmp_path: Path) -> None:
    same = [store.finish(made(tmp_path / f"{c}.work", 1.0, c), tmp_path / c, Finished()) for c in "ab"]
    other = store.finish(made(tmp_path / "c.work", 2.0), tmp_path / "c", Finished())
    assert store.content_of(same[0]) == store.content_of(same[1])
    assert store.content_of(same[0]) != store.content_of(other)


def test_a_run_that_was_moved_finds_its_stages(tmp_path: Path) -> None:
    home = tmp_path / "old"
    stage, shared = home / "stages" / "features", tmp_path / "cache" / "shared"
    stage.mkdir(parents=True)
    shared.mkdir(parents=True)
    ledger = Ledger(home)
    ledger.note_artifact("features", stage, {"metrics": 3})
    ledger.note_artifact("other/features", shared, {"metrics": 4})
    ledger.finish_stage("features", Finished({"a": 1.0}, 2, 3), {"metrics": 5})
    moved = Ledger(home.rename(tmp_path / "new"))
    assert moved.artifact("features") == tmp_path / "new" / "stages" / "features"
    assert moved.artifact("other/features") == shared
    assert moved.artifact("none") is None
    assert moved.stages == {"features": Finished({"a": 1.0}, 2, 3)}
    assert moved.journal == {"metrics": 5}
