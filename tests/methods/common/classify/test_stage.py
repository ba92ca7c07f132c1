"""The stage: what a step does, what is reported, and what is refused before anything is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss
from torch import nn

from datasets.types import ImageBatch
from methods.common.classify.intervals import wilson
from methods.common.classify.some import Some
from methods.common.classify.stage import ClassifyStage
from tests.methods.common.classify.settings import Few, built, evaluate, images, train


def logits(made: ClassifyStage, split: str, size: int, train_mode: bool = False) -> torch.Tensor:
    part = getattr(made.data, split)
    made.classifier.train(train_mode)
    with torch.no_grad():
        rows = [
            made.classifier(part.batch(torch.arange(i, min(i + size, len(part)))).images)
            for i in range(0, len(part), size)
        ]
    return torch.cat(rows)


@pytest.mark.parametrize("count", [64, 61])
def test_what_is_reported_is_what_scikit_learn_counts(count: int) -> None:
    made = built(data=images(count))
    train(made, 20)
    found = evaluate(made)
    labels, scores = made.data.test.labels, logits(made, "test", count)
    assert found["test/accuracy"] == pytest.approx(accuracy_score(labels, scores.argmax(1)))
    assert found["test/error"] == pytest.approx(1 - found["test/accuracy"])
    assert found["test/loss"] == pytest.approx(log_loss(labels, scores.double().softmax(1)), rel=1e-5)
    assert found["test/error_low"] < found["test/error"] < found["test/error_high"]


def test_the_gap_is_training_less_test() -> None:
    made = built()
    train(made, 20)
    found = evaluate(made)
    own = accuracy_score(made.data.train.labels, logits(made, "train", 64).argmax(1))
    assert found["test/accuracy_on_train"] == pytest.approx(own)
    assert found["test/gap"] == pytest.approx(own - found["test/accuracy"])


class Dark(Few):
    """Training images that augmentation has put out."""

    @property
    def plain(self) -> Few:
        return Few(len(self), 0)

    def batch(self, indices: torch.Tensor) -> ImageBatch:
        images, labels = super().batch(indices)
        return ImageBatch(images * 0, labels)


def test_the_gap_is_measured_on_training_images_as_they_are() -> None:
    made = built()
    train(made, 20)
    as_they_are = evaluate(made)["test/accuracy_on_train"]
    object.__setattr__(made.data, "train", Dark(64, 0))
    assert evaluate(made)["test/accuracy_on_train"] == as_they_are > 0.5


def both_modes(made: ClassifyStage, size: int, count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Labels, classes with the moments of each batch of `size`, and classes with the running ones."""
    images, labels = Some(made.data.test, count).batch(torch.arange(count))
    before = {name: buffer.clone() for name, buffer in made.classifier.named_buffers()}
    with torch.no_grad():
        made.classifier.train()
        train = torch.cat([made.classifier(part).argmax(1) for part in images.split(size)])
        made.classifier.load_state_dict(before, strict=False)
        running = made.classifier.eval()(images).argmax(1)
    return labels, train, running


@pytest.mark.parametrize(("parts", "size"), [(1, 8), (4, 2)])
def test_train_mode_takes_each_batch_by_its_own_moments(parts: int, size: int) -> None:
    """Of a batch that is divided into parts, each part has its own."""
    made = built(data=images(61), lr=0.5, parts=parts)
    train(made, 30)
    found = evaluate(made)
    labels, train_mode, running = both_modes(made, size, 61 // size * size)
    right = [(classes == labels).double().mean().item() for classes in (train_mode, running)]
    assert found["test/accuracy_train_mode"] == pytest.approx(right[0])
    assert found["test/train_mode_gap"] == pytest.approx(right[0] - right[1])
    ends = wilson(right[0] * len(labels), len(labels))
    assert [found[f"test/accuracy_train_mode_{end}"] for end in ("low", "high")] == pytest.approx(list(ends))
    assert found["test/error_train_mode_low"] == pytest.approx(1 - ends[1])
    assert found["test/error_train_mode"] == pytest.approx(1 - right[0])
    assert found["test/modes_differ"] == pytest.approx((train_mode != running).double().mean().item())
    assert found["test/modes_differ"] > 0
    assert "test/train_mode_gap" not in evaluate(built(norm="group"))


def test_both_modes_are_measured_in_large_batches_and_not_in_too_large_ones() -> None:
    assert "test/train_mode_gap" in evaluate(built(data=images(1100), batch_size=1050))
    assert "test/train_mode_gap" not in evaluate(built(data=images(64), batch_size=65))


def test_moments_are_recalibrated_on_training_images() -> None:
    made = built(recalibrate_batches=4, norm_momentum=0.0)
    train(made, 20)
    found = evaluate(made)
    object.__setattr__(made.data, "validation", Dark(64, 1))
    assert evaluate(made) == found
    object.__setattr__(made.data, "train", Dark(64, 0))
    assert evaluate(made)["test/loss"] != found["test/loss"]


def test_less_than_a_batch_recalibrates_too() -> None:
    made = built(data=images(40), batch_size=60, recalibrate_batches=50, norm_momentum=0.0)
    train(made, 20)
    plain = built(data=images(40), batch_size=60, norm_momentum=0.0)
    train(plain, 20)
    assert evaluate(made)["test/loss"] < evaluate(plain)["test/loss"] - 0.1


def test_the_running_mode_is_the_recalibrated_one() -> None:
    """Moving averages that never move leave a network that says nothing; its recalibrated self does."""
    made = built(data=images(64), recalibrate_batches=8, norm_momentum=0.0)
    train(made, 40)
    found = evaluate(made)
    running = found["test/accuracy_train_mode"] - found["test/train_mode_gap"]
    assert running == pytest.approx(found["test/accuracy"])


def test_looking_changes_nothing() -> None:
    looked, plain = built(recalibrate_batches=2), built(recalibrate_batches=2)
    train(looked, 5)
    train(plain, 5)
    first = evaluate(looked, "validation")
    assert evaluate(looked, "validation") == first
    train(looked, 5, start=5)
    train(plain, 5, start=5)
    for name, value in plain.classifier.state_dict().items():
        assert torch.equal(looked.classifier.state_dict()[name], value), name


def test_recalibrated_moments_are_used() -> None:
    made = built(recalibrate_batches=4, norm_momentum=0.0)
    train(made, 20)
    assert evaluate(made)["test/accuracy"] > evaluate(built(norm_momentum=0.0))["test/accuracy"] + 0.2


@pytest.mark.parametrize("implementation", ["reference", "fused"])
@pytest.mark.parametrize("norm", ["none", "batch", "group", "layer", "renorm"])
def test_it_learns(norm: str, implementation: str) -> None:
    made = built(norm=norm, norm_impl=implementation, activation="relu", lr=0.05)
    losses = [float(found["loss"]) for found in train(made, 120)]
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])
    assert evaluate(made)["test/accuracy"] > 0.5


@pytest.mark.parametrize("norm", ["batch", "group"])
def test_ours_and_torchs_norms_give_one_curve(norm: str) -> None:
    """Steps of the residual network, whose sums are in another order."""
    curves = []
    for implementation in ("reference", "fused"):
        made = built(network="resnet", norm=norm, norm_impl=implementation, lr=0.01)
        curves.append([float(found["loss"]) for found in train(made, 20)])
    assert curves[0] == pytest.approx(curves[1], abs=1e-3)


def test_the_first_step_is_torchs_sgd() -> None:
    """Momentum and two weight decays, on what the loss's gradient is by itself."""
    made = built(weight_decay=0.1, norm_decay=0.02, lr=0.3, momentum=0.9)
    parameters = dict(made.classifier.named_parameters())
    before = {name: p.detach().clone() for name, p in parameters.items()}
    batch = made.batch(made.sample(0))
    gradients = torch.autograd.grad(
        nn.functional.cross_entropy(made.classifier.train()(batch.images), batch.labels),
        list(parameters.values()),
    )
    train(made, 1)
    for (name, p), gradient in zip(parameters.items(), gradients, strict=True):
        decay = 0.1 if p.ndim > 1 else 0.02
        expected = before[name] - 0.3 * (gradient + decay * before[name])
        torch.testing.assert_close(p.detach(), expected, msg=name)


def test_the_rate_goes_with_the_batch() -> None:
    """Goyal et al.'s rule: 0.1 for 32, so 0.025 for 8; a tenth of it after half of the steps."""
    made = built(lr=0.1, lr_batch=32, schedule="step", milestones=(0.5,), decay=0.1)
    assert made.rates(0)["optimizer"] == pytest.approx(0.025)
    assert made.rates(19)["optimizer"] == pytest.approx(0.025)
    assert made.rates(20)["optimizer"] == pytest.approx(0.0025)
    assert built(lr=0.1, lr_batch=32, parts=4).rates(0)["optimizer"] == pytest.approx(0.025)


@pytest.mark.parametrize(
    ("changes", "size", "said"),
    [
        ({"norm": "batch"}, 1, r"two images or more, and dataset.batch_size=1 leaves one, \(1, 1, 8, 8\)"),
        (
            {"norm": "batch", "parts": 4},
            4,
            r"dataset.batch_size=4 in 4 parts \(trainer.accumulate, .* leaves one",
        ),
        (
            {"norm": "group", "groups": 12, "hidden": (12,)},
            8,
            "method.groups=12 makes groups of one value",
        ),
        ({"norm": "renorm"}, 1, "method.norm=renorm takes moments over a batch of two"),
        ({"network": "resnet", "norm": "group", "groups": 3}, 8, "divide"),
        ({"network": "inception"}, 1, "of two images or more"),
    ],
)
def test_what_does_not_go_together_is_refused_when_it_is_built(
    changes: dict[str, Any], size: int, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        built(batch_size=size, **changes)


def test_a_single_class_is_refused() -> None:
    data = images()
    object.__setattr__(data, "classes", ("image",))
    with pytest.raises(ValueError, match="two classes or more; few has only 'image'"):
        built(data=data)


def test_a_finished_network_is_evaluated_at_any_batch_size(tmp_path: Path) -> None:
    found = evaluate(built(batch_size=1, checkpoint=tmp_path))
    assert "test/accuracy" in found
    assert "test/train_mode_gap" not in found
    looked = evaluate(built(checkpoint=tmp_path), "validation")
    assert "validation/error" in looked
    assert "validation/error_median_last5" not in looked  # which is of a training
    with pytest.raises(ValueError, match="of two images or more"):
        built(batch_size=1, checkpoint=tmp_path, recalibrate_batches=2)


def test_the_layer_that_overflows_is_named() -> None:
    made = built(norm="none")
    with torch.no_grad():
        made.classifier.net.layers[4].weight.fill_(torch.inf)
    assert made.diagnose(made.batch(made.sample(0))) == "net.layers.4"
    assert built().diagnose(made.batch(made.sample(0))) is None
