"""The methods and artifacts that settings name, and the run that is looked at."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from runner.compose import Composed
from runner.identity.parts import RECORD, parts
from tests.runner.identity.runs import (
    PLAIN,
    Same,
    add,
    composed,
    copy_toys,
    differing,
    edit,
)


@pytest.fixture
def captioner(tmp_path: Path) -> Path:
    """A copy of the captioner and of the pipeline that makes its features."""
    return copy_toys(tmp_path / "mine", "captioner", "pipeline")


def with_captioner(home: Path, *words: str) -> Composed:
    return composed(f"methods.path={home}", "method=toy_captioner", *words)


def test_the_code_of_a_source_counts(captioner: Path) -> None:
    run = with_captioner(captioner)
    with Same(run, same=False):
        edit(captioner / "copied_pipeline" / "network.py", "ReLU", "Tanh")
    with Same(run, same=True):
        add(captioner / "copied_pipeline" / "network.py", "# a comment\n")


def test_the_settings_of_a_source_count_from_its_own_file(captioner: Path) -> None:
    run = with_captioner(captioner)
    before = parts(run)
    assert before["config"]["method.features"]["method.finetune.lr"] == 0.05
    edit(captioner / "conf" / "method" / "toy_pipeline.yaml", "lr: 0.05", "lr: 0.06")
    assert differing(before, parts(run)) == {"config"}


def test_the_settings_given_with_a_source_count_by_what_they_come_to(captioner: Path) -> None:
    same, other = (f"method.features.config.finetune.lr={lr}" for lr in ("0.05", "0.06"))
    plain = parts(with_captioner(captioner))
    assert parts(with_captioner(captioner, f"+{same}")) == plain
    assert differing(plain, parts(with_captioner(captioner, f"+{other}"))) == {"config"}


def test_the_source_of_a_source_counts(captioner: Path) -> None:
    shutil.copytree(captioner / "copied_captioner", captioner / "copied_second")
    edit(captioner / "copied_second" / "__init__.py", "toy_captioner", "toy_second")
    files = [captioner / "conf" / "method" / f"toy_{name}.yaml" for name in ("captioner", "second")]
    files[1].write_text(files[0].read_text().replace("method: toy_pipeline", "method: toy_captioner"))
    run = composed(f"methods.path={captioner}", "method=toy_second")
    assert {"method.features", "method.features.method.features"} < parts(run)["data"].keys()
    with Same(run, same=False):
        edit(captioner / "copied_pipeline" / "network.py", "ReLU", "Tanh")


def artifact(place: Path, content: str) -> str:
    place.mkdir(parents=True)
    (place / RECORD).write_text(json.dumps({"metrics": {}, "content": content}))
    return f"method.features.path={place}"


def test_an_artifact_counts_by_its_content(captioner: Path, tmp_path: Path) -> None:
    places = [artifact(tmp_path / name, what) for name, what in (("a", "x"), ("b", "x"), ("c", "y"))]
    (tmp_path / "b" / "metrics.jsonl").write_text("{}")
    one, two, three = (
        parts(with_captioner(captioner, "method.features.method=null", word)) for word in places
    )
    assert one == two
    assert differing(one, three) == {"config"}


def test_an_artifact_without_a_record_counts_by_its_files(captioner: Path, tmp_path: Path) -> None:
    words = ["method.features.method=null", f"method.features.path={tmp_path / 'a'}"]
    missing = parts(with_captioner(captioner, *words))
    artifact(tmp_path / "a", "x")
    (tmp_path / "a" / RECORD).write_text("[]")
    assert differing(missing, parts(with_captioner(captioner, *words))) == {"config"}


def test_the_record_is_the_stores() -> None:
    from runner.engine import store

    assert RECORD == store.RECORD


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    home = tmp_path / "finished"
    (home / "checkpoints").mkdir(parents=True)
    (home / "checkpoints" / "best.pt").write_bytes(b"weights")
    result = {"status": "completed", "metrics": {"loss": 1.0}, "steps": 1, "seconds": 1.0, "numerics": {}}
    (home / "result.json").write_text(json.dumps(result))
    return home


def looking(place: Path) -> dict[str, Any]:
    return parts(composed(*PLAIN, "task=evaluate", f"checkpoint={place}"))


def test_a_finished_run_counts_by_what_it_came_to(finished: Path, tmp_path: Path) -> None:
    before = looking(finished)
    shutil.copytree(finished, tmp_path / "other", copy_function=shutil.copyfile)
    edit(tmp_path / "other" / "result.json", '"seconds": 1.0', '"seconds": 2.0')
    assert looking(tmp_path / "other") == before
    edit(tmp_path / "other" / "result.json", '"loss": 1.0', '"loss": 2.0')
    assert differing(looking(tmp_path / "other"), before) == {"config"}


@pytest.mark.parametrize("file", ["checkpoints/best.pt", "stages/features/train.npy"])
def test_what_a_finished_run_learned_counts(finished: Path, file: str) -> None:
    before = looking(finished)
    (finished / file).parent.mkdir(parents=True, exist_ok=True)
    (finished / file).write_bytes(b"Weights")
    assert differing(looking(finished), before) == {"config"}


def test_one_checkpoint_of_a_run_counts_by_itself(finished: Path) -> None:
    best = finished / "checkpoints" / "best.pt"
    before = looking(best)
    (finished / "checkpoints" / "last.pt").write_bytes(b"others")
    assert looking(best) == before != looking(finished)
    edit(finished / "result.json", '"loss": 1.0', '"loss": 2.0')
    assert differing(looking(best), before) == {"config"}
    edit(finished / "result.json", '"loss": 2.0', '"loss": 1.0')
    best.write_bytes(b"Weights")
    assert differing(looking(best), before) == {"config"}


def test_a_run_that_is_not_there(tmp_path: Path) -> None:
    assert "missing" in looking(tmp_path / "nowhere")["config"]["checkpoint"]
