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

QUICK = ["dataset.limit=30", "method.filters=4", "method.episodes=12", "method.validation_episodes=6",
         "trainer.steps=4", "trainer.log_every=2", "threads=1"]  # fmt: skip


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
    assert [n for n in found if not any(fnmatchcase(n, p) for p in protonet.METRICS)] == []
    assert {path.stem for path in (place / "figures").glob("*.png")} == {"episode", "space", "confusion"}
    before = done(tmp_path / "again", "task=evaluate", f"checkpoint={place}")[1]
    assert before == found


def test_intervals_are_over_episodes() -> None:
    """Mean 0.6, deviation 0.2: 1.96 * 0.2 / sqrt(4) on each side."""
    mean, low, high = interval(torch.tensor([0.4, 0.8, 0.8, 0.4]).double())
    half = 1.96 * torch.tensor([0.4, 0.8, 0.8, 0.4]).double().std().item() / 2
    assert (mean, low, high) == pytest.approx((0.6, 0.6 - half, 0.6 + half))
    scores = torch.tensor([[[0.1, 0.9], [0.8, 0.2]], [[0.1, 0.9], [0.2, 0.8]]])
    assert right(scores, torch.tensor([[1, 1], [1, 1]])).tolist() == [0.5, 1.0]
    assert (name_of(5, 1), name_of(3, [1, 2, 4])) == ("5w1s", "3w1_2_4s")
