"""Images drawn from a part, which may lie class by class."""

from __future__ import annotations

import torch

from methods.common.classify.some import Some
from tests.methods.common.classify.settings import Few, built, evaluate, images, train


def test_some_are_different_images_and_always_the_same() -> None:
    part = Few(40, 0)
    part.images = torch.arange(40).byte().view(-1, 1, 1, 1).expand(40, 1, 8, 8)
    drawn = [Some(part, 15).batch(torch.arange(15)).images[:, 0, 0, 0].tolist() for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 15
    assert drawn[0] != sorted(drawn[0])
    assert len(Some(part)) == len(Some(part, 100)) == 40


def ordered(count: int) -> Few:
    part = Few(count, 0)
    order = part.labels.argsort(stable=True)
    part.images, part.labels = part.images[order], part.labels[order]
    return part


def test_the_order_of_the_files_does_not_matter() -> None:
    """Batches of one class have other moments than batches of all; with these, most would be wrong."""
    data = images(400)
    for name in ("train", "validation", "test"):
        object.__setattr__(data, name, ordered(400))
    made = built(data=data, batch_size=20, recalibrate_batches=5, norm_momentum=0.0, steps=120)
    train(made, 120)
    found = evaluate(made)
    assert found["test/accuracy"] > 0.9
    assert found["test/accuracy_train_mode"] > 0.9
    assert abs(found["test/gap"]) < 0.05
