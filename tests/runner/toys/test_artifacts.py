"""What one stage leaves for others: computed once, found again, made again where it was lost."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path
from typing import Any

from tests.runner.toys.actions import command, done, result
from tests.runner.toys.results import differences, snapshot, the_run
from tests.runner.toys.runs import COMMON, Kill, Nursery


def test_two_runs_compute_a_shared_artifact_once(nursery: Nursery, tmp_path: Path) -> None:
    cache, places = tmp_path / "cache", [tmp_path / name for name in "ab"]
    for place in places:
        place.mkdir()
    words = ("method=toy_captioner", "dataset.limit=200")
    running = [nursery.start(command(place, *words, cache=cache), place / "log") for place in places]
    assert [nursery.wait(process) for process in running] == [0, 0]
    logs = [(place / "log").read_text() for place in places]
    for stage, made in (("pretrain", "12 steps"), ("finetune", "12 steps"), ("features", "computing")):
        assert sum(f"toy_pipeline/{stage}: taken from" in log for log in logs) == 1
        assert sum(f"toy_pipeline/{stage}: {made}" in log for log in logs) == 1
    left = [snapshot(the_run(place / "outputs"), cache) for place in places]
    assert differences(left[0], left[1]) == []
    alone = done(nursery, tmp_path / "c", *words)
    assert differences(left[0], snapshot(alone, tmp_path / "c" / "cache")) == []


def test_an_artifact_serves_until_what_it_depends_on_changes(nursery: Nursery, tmp_path: Path) -> None:
    words, cache = ("method=toy_pipeline", "trainer.steps=4", "dataset.limit=100"), tmp_path / "cache"
    done(nursery, tmp_path / "a", *words, cache=cache)
    for name, change, taken in (
        ("svm", "method.svm.c=0.1", 3),
        ("log", "trainer.log_every=2", 3),
        ("finetune", "method.finetune.lr=0.01", 1),
        ("flip", "dataset.flip=true", 0),
        ("seed", "seed=1", 0),
    ):
        done(nursery, tmp_path / name, *words, change, cache=cache)
        assert (tmp_path / name / "log").read_text().count("taken from") == taken, change


def test_an_artifact_can_be_named_by_its_folder(nursery: Nursery, tmp_path: Path) -> None:
    asked = done(nursery, tmp_path / "a", "method=toy_captioner", "dataset.limit=100")
    (folder,) = (tmp_path / "a" / "cache" / "artifacts").glob("toy_pipeline-features-*/")
    words = ["method.features.method=null", f"method.features.path={folder}", "dataset.limit=100"]
    named = done(nursery, tmp_path / "b", "method=toy_captioner", *words)
    assert result(asked)["metrics"] == result(named)["metrics"]


def whole_and_killed(nursery: Nursery, place: Path, *words: str) -> tuple[dict[str, Any], Path]:
    """What an unbroken run left, and the folder of one that was killed before its last stage was noted."""
    whole = done(nursery, place / "a", *words, trace=place / "trace")
    left = snapshot(whole, place / "a" / "cache")
    names = json.loads((place / "trace").read_text())
    at = max(line for line, name in enumerate(names, 1) if name == "ledger.finish_stage") - 1
    relative = [*COMMON, *words, "outputs=outputs", f"data.cache={place / 'cache'}"]
    assert nursery.run(relative, place / "log", Kill(at), cwd=place) == -signal.SIGKILL
    return left, the_run(place / "outputs")


def test_a_run_is_resumed_from_another_folder(nursery: Nursery, tmp_path: Path) -> None:
    left, home = whole_and_killed(nursery, tmp_path, "method=toy_pipeline", "trainer.steps=5")
    assert nursery.run(["resume", str(home)], tmp_path / "log", cwd=Path("/")) == 0
    assert differences(left, snapshot(home, tmp_path / "cache")) == []


def test_an_artifact_that_was_lost_is_made_again(nursery: Nursery, tmp_path: Path) -> None:
    words = ("method=toy_captioner", "dataset.limit=100", "trainer.steps=8")
    left, home = whole_and_killed(nursery, tmp_path, *words)
    shutil.rmtree(tmp_path / "cache")
    assert nursery.run(["resume", str(home)], tmp_path / "log") == 0
    assert differences(left, snapshot(home, tmp_path / "cache")) == []
