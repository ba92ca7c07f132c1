"""Prototypical and matching networks as the command runs them, and what they report."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import torch

from methods import protonet
from methods.common.fewshot.score import interval, name_of, right
from runner import cli

QUICK = ["dataset.limit=40", "dataset.test=[Hebrew,Nko]", "method.filters=4",
         "method.episodes=12", "method.validation_episodes=6", "trainer.steps=4", "trainer.log_every=2",
         "threads=1"]  # fmt: skip

FEW = ["method.space=untrained", "method.filters=32", "dataset.limit=30"]
ZERO = ["method.shot=0", "method.test_shots=[0]", "method.encoder=linear"]


def done(outputs: Path, *words: str) -> tuple[Path, dict[str, float]]:
    assert cli.main([*words, f"outputs={outputs}"]) == 0
    (place,) = outputs.glob("*/*")
    return place, json.loads((place / "result.json").read_text())["metrics"]


@pytest.mark.parametrize(
    "words",
    [
        ["method=protonet"],
        [
            "method=protonet",
            "method.distance=mahalanobis",
            "method.learn_scale=true",
            "method.transductive=true",
        ],
        ["method=protonet", "method.way=3", "method.shot=[1,2,4]", "dataset.batch_size=2"],
        ["method=matching", "method.distance=cosine", "method.scale=10"],
        ["method=matching", "method.full_context=true"],
    ],
)
def test_runs_and_reports_what_the_entry_says(words: list[str], tmp_path: Path) -> None:
    place, found = done(tmp_path, *words, *QUICK)
    assert {"test/accuracy", "test/accuracy_20w5s_low", "validation/loss"} <= found.keys()
    assert next(name for name in found if name.startswith("test/")) == "test/accuracy"
    assert found["test/accuracy"] == found["test/accuracy_5w1s"]
    assert [n for n in found if not any(fnmatchcase(n, p) for p in protonet.METRICS)] == []
    assert {path.stem for path in (place / "figures").glob("*.png")} == {"episode", "space", "confusion"}
    before = done(tmp_path / "again", "task=evaluate", f"checkpoint={place}")[1]
    assert before == found


@pytest.mark.parametrize(
    ("words", "least"),
    [
        (["dataset=distractors", "dataset.irrelevant=0", "method.encoder=linear"], 0.6),
        (["dataset=distractors", "method.encoder=mlp", "method.transductive=true"], 0.3),
        (["dataset=described", "dataset.noise=0.1", *ZERO, "method.unit_prototypes=false"], 0.8),
        (["dataset=described", "dataset.noise=0.1", *ZERO], 0.9),
    ],
)
def test_vectors_and_classes_without_an_image(words: list[str], least: float, tmp_path: Path) -> None:
    place, found = done(tmp_path, "method=protonet", *words, *QUICK[3:5], "trainer.steps=100", "threads=1")
    assert found["test/accuracy"] > least
    assert {path.stem for path in (place / "figures").glob("*.png")} == {"space"}


@pytest.mark.parametrize("words", [[], FEW, ["method.by=logistic", "dataset=described"]])
def test_without_training(words: list[str], tmp_path: Path) -> None:
    place, found = done(tmp_path, "method=neighbours", *words, "method.episodes=60", "threads=1")
    assert found["test/accuracy_low"] > 0.2, "better than chance"
    assert [n for n in found if not any(fnmatchcase(n, p) for p in protonet.METRICS)] == []
    assert done(tmp_path / "again", "task=evaluate", f"checkpoint={place}")[1] == found


def test_all_methods_see_the_same_episodes_and_ways_of_deciding_agree(tmp_path: Path) -> None:
    """A map that changes nothing leaves the pixels, and each way of deciding that of `neighbours`."""
    words = [
        "dataset=distractors",
        "method.episodes=40",
        "method.validation_episodes=6",
        "threads=1",
        "seed=3",
    ]
    place, trained = done(
        tmp_path / "a",
        "method=protonet",
        *words,
        "method.encoder=linear",
        "method.width=20",
        "trainer.steps=1",
    )
    path = place / "checkpoints" / "best.pt"
    content = torch.load(path, weights_only=True)
    content["tracked"]["encoder"] = {"1.weight": torch.eye(20), "1.bias": torch.zeros(20)}
    torch.save(content, path)
    _, same = done(tmp_path / "b", "task=evaluate", f"checkpoint={place}")
    _, others = done(tmp_path / "c", "task=baselines", f"checkpoint={place}")
    for by in ("image", "mean", "logistic"):
        _, plain = done(tmp_path / by, "method=neighbours", *words, f"method.by={by}")
        assert others[f"test/accuracy_{by}_20w5s"] == pytest.approx(plain["test/accuracy_20w5s"], abs=1e-3)
        assert others[f"test/accuracy_{by}_5w1s"] == pytest.approx(plain["test/accuracy"], abs=1e-3)
        if by == "mean":
            assert same["test/accuracy_5w5s"] == pytest.approx(plain["test/accuracy_5w5s"], abs=1e-3)
            assert same["test/accuracy"] != trained["test/accuracy"]
    gained = others["test/mean_over_image_20w5s"]
    by_size = (others[f"test/accuracy_{by}_20w5s"] for by in ("mean", "image"))
    assert gained == pytest.approx(next(by_size) - next(by_size))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["method=protonet", "method.shot=0"], "method.shot=0 does not go with method.test_shots=[1, 5]"),
        (
            ["method=protonet", "method.test_shots=[0]"],
            "method.shot=1 does not go with method.test_shots=[0]",
        ),
        (
            ["method=protonet", *ZERO[:2]],
            "method.test_shots=0 takes classes that are described by attributes",
        ),
        (["method=matching", *ZERO[:2]], "no image that matching could attend to"),
        (
            ["method=matching", "dataset=described"],
            "the convolutional network takes images, and these are vectors",
        ),
        (
            ["method=neighbours", "dataset=described", "method.space=untrained"],
            "the convolutional network takes images, and these are vectors",
        ),
        (["method=neighbours", "method.by=nearest"], "method.by=nearest is not one of image, cosine"),
        (["method=neighbours", "method.test_ways=[]"], "must name one size or more"),
    ],
)
def test_bad_input_is_a_sentence(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*words, f"outputs={tmp_path}"]) == 2
    errors = capsys.readouterr().err
    assert said in errors
    assert errors.count("\n") == 1


def test_intervals_are_over_episodes() -> None:
    """Mean 0.6, deviation 0.2: 1.96 * 0.2 / sqrt(4) on each side."""
    mean, low, high = interval(torch.tensor([0.4, 0.8, 0.8, 0.4]).double())
    half = 1.96 * torch.tensor([0.4, 0.8, 0.8, 0.4]).double().std().item() / 2
    assert (mean, low, high) == pytest.approx((0.6, 0.6 - half, 0.6 + half))
    scores = torch.tensor([[[0.1, 0.9], [0.8, 0.2]], [[0.1, 0.9], [0.2, 0.8]]])
    assert right(scores, torch.tensor([[1, 1], [1, 1]])).tolist() == [0.5, 1.0]
    assert (name_of(5, 1), name_of(3, [1, 2, 4])) == ("5w1s", "3w1_2_4s")
