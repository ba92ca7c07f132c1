"""The methods as the command runs them."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from methods import imaml
from runner import cli

QUICK = ["trainer.log_every=2", "threads=1", "method.episodes=20", "method.validation_episodes=10"]


def done(outputs: Path, *words: str) -> dict[str, float]:
    assert cli.main([*words, *QUICK, f"outputs={outputs}"]) == 0
    (place,) = outputs.glob("*/*")
    found: dict[str, float] = json.loads((place / "result.json").read_text())["metrics"]
    return found


@pytest.mark.parametrize("entry", imaml.METHODS, ids=lambda entry: entry.name)
def test_adaptation_helps_on_sine_curves(entry: object, tmp_path: Path) -> None:
    name = entry.name  # type: ignore[attr-defined]
    found = done(tmp_path, f"method={name}", "trainer.steps=60", "method.inner_lr=0.02")
    assert found["test/loss"] < found["test/before_loss"]
    assert [n for n in found if not any(fnmatchcase(n, p) for p in imaml.METRICS)] == []


@pytest.mark.parametrize(
    "words",
    [
        ["method.learn_lam=scalar"],
        ["method.learn_lam=layers", "method.chunk=4"],
        ["method.inverse=neumann", "method.inner_solver=adam"],
        ["method.variant=official_code", "method.damping=1"],
        ["method.inner_solver=hessian_free"],
        ["method.inner_solver=lbfgs", "method.activation=tanh"],
        ["dataset=quadratic", "method.hidden=[]"],
    ],
)
def test_imaml_runs_with_each_of_its_parts(words: list[str], tmp_path: Path) -> None:
    assert "test/loss" in done(tmp_path, "method=imaml", "trainer.steps=3", "method.inner_steps=4", *words)


@pytest.mark.parametrize("name", ["imaml", "maml", "anil"])
def test_images_are_classified(name: str, tmp_path: Path) -> None:
    words = [
        *("dataset=glyphs", "dataset.limit=20", "dataset.batch_size=2", "method.network=conv4"),
        *("method.filters=4", "method.shot=1", "method.query=2", "method.tasks_as_one=false"),
        *("trainer.steps=2", "method.inner_steps=2"),
    ]
    found = done(tmp_path, f"method={name}", *words)
    assert 0 <= found["test/accuracy"] <= 1


def test_chunks_make_the_same_steps(tmp_path: Path) -> None:
    words = ["method=imaml", "method.learn_lam=layers", "trainer.steps=3", "dataset.batch_size=6"]
    whole = done(tmp_path / "a", *words)
    parts = done(tmp_path / "b", *words, "method.chunk=4")
    assert parts["test/loss"] == pytest.approx(whole["test/loss"], rel=1e-4)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["method=imaml", "method.network=conv4"],
            "method.network=conv4 takes images, which sinusoid has none of",
        ),
        (["method=imaml", "method.lam=1e-46"], "method.lam=1e-46 is out of range: it must be at least 1e-06"),
        (["method=imaml", "precision=bf16"], "precision=bf16: this method makes its gradients itself"),
        (["method=maml", "trainer.accumulate=5"], "trainer.accumulate=5: this method makes its gradients"),
        (
            ["method=neighbours", "method.test_shots=[0]"],
            "method.test_shots=[0]: without an image of a class",
        ),
        (
            ["method=protonet", "dataset.size=8"],
            "method.blocks=4 halves images of 8x8 too often; 3 is the most",
        ),
        (["method=protonet", "method.test_ways=[2000]"], "method.test_ways asks for 2000 classes"),
        (
            ["method=maml", "dataset=glyphs", "method.way=2000"],
            "method.way asks for 2000 classes, and the part",
        ),
        (["method=protonet", "dataset=sinusoid"], "needs episodes"),
        (
            ["method=protonet", "method.test_query=20"],
            "method.test_shots and method.test_query ask for 1 + 20 images of a class",
        ),
        (
            ["method=protonet", "method.way=3", "method.shot=[1,2]"],
            "method.shot has 2 numbers for method.way=3",
        ),
    ],
)
def test_bad_input_is_a_sentence(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*words, "trainer.steps=2", f"outputs={tmp_path}"]) == 2
    errors = capsys.readouterr().err
    assert said in errors, errors
    assert errors.count("\n") == 1


def test_the_gain_is_what_adaptation_takes_off_the_loss(tmp_path: Path) -> None:
    found = done(tmp_path, "method=maml", "trainer.steps=3", "method.inner_lr=0.02")
    assert found["test/gain"] == pytest.approx(found["test/before_loss"] - found["test/loss"], rel=1e-6)
    assert found["test/gain_low"] < found["test/gain"] < found["test/gain_high"]


def test_a_lambda_that_is_learned_stays_where_systems_can_be_solved(tmp_path: Path) -> None:
    """A rate by which it would leave the range at the first step."""
    words = ["method=imaml", "method.learn_lam=layers", "method.lam_lr=1e6", "trainer.steps=4"]
    found = done(tmp_path, *words)
    assert all(value == value for value in found.values())
    lines = [json.loads(line) for line in next(tmp_path.glob("*/*/metrics.jsonl")).read_text().splitlines()]
    lams = [line["train/lambda"] for line in lines if "train/lambda" in line]
    assert lams
    assert all(1e-6 <= lam <= 1e6 for lam in lams)
