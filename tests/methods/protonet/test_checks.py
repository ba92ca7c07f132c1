"""What is kept of a task, what one costs, and which distances have the mean as their centre."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from methods.protonet.checks import mean_is_nearest, one_shot, storage, task_cost
from runner.compose import Composer

INPUTS: Any = SimpleNamespace(data=SimpleNamespace(shape=(1, 28, 28)))


def config(*words: str) -> Any:
    return Composer([*words, "method.filters=8"]).compose().method_config


@pytest.mark.parametrize("shot", [1, 4])
def test_prototypes_take_a_number_for_each_class_and_dimension(shot: int) -> None:
    words = (f"method.shot={shot}", "method.way=6")
    kept = [storage(config(f"method={m}", *words), INPUTS) for m in ("protonet", "matching")]
    assert kept[0]["check/kept_bytes"] == 6 * 8 * 4
    assert kept[1]["check/kept_bytes"] == 6 * shot * (8 * 4 + 8)  # float32 embeddings, int64 labels
    assert all(one["check/query_seconds"] > 0 for one in kept)


def test_uneven_shots_have_no_one_size() -> None:
    with pytest.raises(ValueError, match=r"method.shot=\(1, 2\), .* takes one number"):
        storage(config("method=protonet", "method.way=2", "method.shot=[1,2]"), INPUTS)


def test_a_task_costs_no_parameter_and_no_gradient() -> None:
    plain, learned = (
        task_cost(config("method=protonet", f"method.learn_scale={flag}"), INPUTS) for flag in (False, True)
    )
    assert (plain["check/extra_parameters"], learned["check/extra_parameters"]) == (0, 1)
    assert plain["check/gradients"] == 0
    assert plain["check/task_seconds"] > 0


@pytest.mark.parametrize(
    ("kind", "bregman"), [("sqeuclidean", 1), ("mahalanobis", 1), ("euclidean", 0), ("cosine", 0)]
)
def test_the_mean_is_nearest_for_bregman_divergences_alone(kind: str, bregman: int) -> None:
    torch.manual_seed(3)
    found = mean_is_nearest(config("method=protonet", f"method.distance={kind}"), INPUTS)
    excess = float(found["check/mean_excess"])
    assert 0 <= excess < 1e-12 if bregman else 1e-3 < excess < 0.1


@pytest.mark.parametrize("kind", ["sqeuclidean", "euclidean", "cosine"])
def test_with_one_image_of_each_class_attention_and_prototypes_are_one(kind: str) -> None:
    found = one_shot(config("method=protonet", f"method.distance={kind}"), INPUTS)
    assert found["check/apart_at_1"] < 1e-12
    assert found["check/apart_at_5"] > 0.01
