"""What a verdict must not rest on: arms that are one run, folders that were exchanged, damage, lost time."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner.compose import Composer
from runner.errors import ConfigError
from runner.sweep.plan import Job
from tests.runner.claim.test_command import Place, place
from tests.runner.toys.runs import TOYS

__all__ = ["place"]
LOOKS = {
    "seeds": [1, 2, 3, 4, 5],
    "arms": {
        "t": ["trainer.steps=40"], "u": ["trainer.steps=1"],
        "x": {"of": "t", "words": ["task=evaluate"]}, "y": {"of": "u", "words": ["task=evaluate"]},
    },
    "expect": [{"form": "direction", "arm": "x", "than": "y", "sign": "less"}],
}  # fmt: skip


def swept(key: str, form: str = "trend", **more: Any) -> dict[str, Any]:
    arms = {"w": {"words": ["trainer.steps=5"], "sweep": {key: [1, 2, 3]}}}
    expect = {"trend": {"form": "trend", "sign": "rising"}, "interval": {"form": "interval", "high": 1}}
    return {"arms": arms, "expect": [{**expect[form], "arm": "w"}], **more}


def two_sweeps(key: str, values: list[int], **expect: Any) -> dict[str, Any]:
    arms = {
        "a": {"sweep": {"method.width": [4, 8]}},
        "b": {"sweep": {key: values}, "words": ["method.lr=.1"]},
    }
    return {"arms": arms, "expect": [{"arm": "a", "than": "b", "sign": "less", **expect}]}


SPREAD = {"metric": {"name": "test/nats", "spread": True}}
ONE = {"arms": {"long": ["trainer.steps=9"]}}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (swept("seed"), "arms.w: seed is not a claim's to say"),
        (swept("+seed"), "arms.w: +seed is not a claim's to say"),
        (swept("launcher.jobs"), "launcher.jobs is not a claim's to say"),
        (swept("trainer.checkpoint_every"), "arms.w.sweep: trainer.checkpoint_every changes nothing"),
        (swept("data.workers", "interval", **SPREAD), "arms.w.sweep: data.workers changes nothing"),
        (two_sweeps("method.width", [4, 8, 16], form="direction") | SPREAD, "the same values of one key"),
        (two_sweeps("method.couplings", [4, 8], form="crossing", low=4, high=8), "same values of one key"),
        ({**SPREAD, "arms": {"w": {"sweep": {"method.width": [4, 8]}}},
          "expect": [{"form": "interval", "arm": "w", "low": 1}]}, "noise alone makes a spread"),
        ({"expect": [{"form": "ratio", "arm": "long", "to": "short", "low": 0}]}, "low=0.0 is out of range"),
        ({**ONE, "expect": [{"form": "bound", "arm": "long", "high": 9}]}, "form bound is for what is exact"),
        ({"metric": {"name": "test/nats", "items": True}}, "is trained, which keeps no values for items"),
        ({"metric": {"name": "validation/nats", "at": 90}}, "arm long has 60 steps (trainer.steps=60)"),
        ({"metric": {"name": "validation/nats", "area": [1, 90]}}, "arm long has 60 steps"),
        ({"metric": "seconds"}, "metric seconds needs alone: true"),
        ({"metric": {"name": "test/nats", "stage": "flow"}}, "stage goes with at, reach, area or last"),
    ],
)  # fmt: skip
def test_what_no_run_could_answer_is_refused_before_any(
    changes: dict[str, Any], said: str, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.write("wrong", **changes)
    assert place.run("toys/wrong") == 2
    assert said in capsys.readouterr().err
    assert not place.runs()


def test_looks_that_are_the_same_are_one_run(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    arms = {"t": [], "x": {"of": "t", "words": ["task=evaluate"]},
            "y": {"of": "t", "words": ["task=evaluate", "data.workers=0"]}}  # fmt: skip
    place.write("looks", arms=arms, expect=[{"form": "ratio", "arm": "x", "to": "y", "low": 0.9}])
    assert place.run("toys/looks") == 2
    assert "arms x and y are the same run" in capsys.readouterr().err


def of_arm(place: Place, name: str, arm: str, seed: int = 1) -> Path:
    """The folder of an arm's run."""
    made = place.kept(name)["arms"][arm]["runs"][str(seed)]
    (found,) = (place.home / "out" / "claims").glob(f"*-{made}")
    return found


def exchange(a: Path, b: Path) -> None:
    kept = a.with_name("kept")
    a.rename(kept)
    b.rename(a)
    kept.rename(b)


@pytest.mark.parametrize("arms", [("t", "u"), ("x", "y")])
@pytest.mark.parametrize("file", ["", "result.json"])
def test_runs_that_were_exchanged_are_not_believed(arms: tuple[str, str], file: str, place: Place) -> None:
    place.write("looks", **LOOKS)
    assert place.run("toys/looks") == 0
    assert place.kept("looks")["verdict"] == "reproduced"
    ones = [of_arm(place, "looks", arm) for arm in arms]
    place.write("again", **LOOKS)
    exchange(*(one / file if file else one for one in ones))
    assert place.run("toys/again") == 1
    made = place.kept("again")
    assert made["verdict"] == "not run"
    assert "is the folder of another run" in made["why"]


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("metrics.jsonl", lambda text: text + "[1]\n"),
        ("metrics.jsonl", lambda text: text + '{"validation/nats": 1}\n'),
        ("metrics.jsonl", lambda text: text + '{"stage": "flow", "step": 1, "validation/nats": "x"}\n'),
        ("metrics.jsonl", lambda text: text + '{"stage": "flow", "step": 1, "validation/nats": true}\n'),
        ("metrics.jsonl", lambda text: text + "garbage\n"),
        ("result.json", lambda text: text.replace('"test/nats": ', '"test/nats": true, "was": ')),
        (
            "result.json",
            lambda text: text.replace('"test/nats": ', '"test/nats": 1' + 400 * "0" + ', "was": '),
        ),
        ("result.json", lambda text: text.replace('"device"', '"devise"').replace('"test/nats"', '"test/x"')),
    ],
)
def test_a_damaged_run_is_no_number(file: str, change: Callable[[str], str], place: Place) -> None:
    expect = [
        {"form": "direction", "arm": "long", "than": "short", "sign": "less"},
        {"form": "direction", "arm": "long", "than": "short", "sign": "less",
         "metric": {"name": "validation/nats", "last": 1}},
    ]  # fmt: skip
    place.write("steps", expect=expect)
    assert place.run("toys/steps") == 0
    path = of_arm(place, "steps", "long") / file
    path.write_text(change(path.read_text()))
    place.write("again", expect=expect)
    assert place.run("toys/again") == 1
    made = place.kept("again")
    assert made["verdict"] == "not run"
    assert made["why"]


def test_what_was_interrupted_is_timed_anew(place: Place) -> None:
    """A timed run that another attempt began is set aside; so is one that was resumed and completed."""
    arms = {"long": ["trainer.steps=60"], "short": ["trainer.steps=1"]}
    place.write("time", metric="seconds", alone=True, seeds=[1, 2], arms=arms)
    assert place.run("toys/time") == 0
    run = of_arm(place, "time", "long")
    result = json.loads((run / "result.json").read_text())
    assert result["resumed"] is False
    (run / "result.json").unlink()
    assert place.run("toys/time") == 0
    assert json.loads((run / "result.json").read_text())["resumed"] is False
    assert (run.with_name(f"{run.name}.interrupted-1") / "metrics.jsonl").is_file(), "nothing is lost"
    (run / "result.json").write_text(json.dumps({**result, "resumed": True}))
    begun = place.begun()
    assert place.run("toys/time") == 0
    assert place.begun() == begun + 1
    assert json.loads((run / "result.json").read_text())["resumed"] is False


def test_a_run_that_went_on_says_so(place: Place) -> None:
    place.write("steps", seeds=[1])
    assert place.run("toys/steps") == 0
    run = of_arm(place, "steps", "long")
    assert json.loads((run / "result.json").read_text())["resumed"] is False
    (run / "result.json").unlink()
    assert place.run("toys/steps") == 0
    assert json.loads((run / "result.json").read_text())["resumed"] is True


def test_code_that_moved_is_found_where_it_is_now(tmp_path: Path) -> None:
    """A run that was begun with the same methods in another folder is that run, and goes on from here."""
    composed = Composer([f"methods.path=[{TOYS}]"]).compose(["method=toy_flow"])
    job = Job.of("job", composed)
    elsewhere = replace(job, config={**job.config, "methods": {"path": ["elsewhere"]}})
    elsewhere.prepare(tmp_path)
    place = job.prepare(tmp_path)
    assert (
        yaml.safe_load((place / "config.yaml").read_text())["methods"]["path"]
        == job.config["methods"]["path"]
    )
    other = replace(job, config={**job.config, "seed": 7})
    with pytest.raises(ConfigError, match="the folder of another job: its seed is"):
        other.prepare(tmp_path)
