"""What the method reports, against the straightforward formulation, and histograms counted by hand."""

from __future__ import annotations

import math
from functools import partial

import numpy
import pytest
import torch
from torch import Tensor

from datasets.stores import MemoryStore, StoredSplit
from datasets.types import Images
from methods.realnvp.method import DensityStage
from runner.api import Inputs
from runner.engine.feed import Feed
from runner.engine.seeding import Stream
from runner.engine.update import Updater
from tests.methods.realnvp.reference import Reference, load, objective
from tests.methods.realnvp.settings import config, randomise

CPU, LEVELS, SHAPE, BATCH = torch.device("cpu"), 17, (1, 8, 8), 8
SIZES = {"train": 300, "validation": 12, "test": 20}


def pictures(count: int, seed: int) -> Tensor:
    """Images that are dark on the left and light on the right, so that flipping them matters."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randint(0, 5, (count, *SHAPE), generator=generator)
    return (noise + 1.5 * torch.arange(8)).clamp(0, LEVELS - 1).to(torch.uint8)


def stage(flip: bool = False, workers: int = 0, **changes: object) -> DensityStage:
    """A built stage with random weights and moments."""
    splits = {
        part: StoredSplit(
            MemoryStore(pictures(size, i)),
            torch.zeros(size, dtype=torch.int64),
            flip=flip and part == "train",
            crop=2 if flip and part == "train" else 0,
        )
        for i, (part, size) in enumerate(SIZES.items())
    }
    data = Images("made", "none", SHAPE, LEVELS, ("all",), **splits)
    feed, stream = Feed(CPU, workers), Stream(0, "density", "look")
    looks = {"batches": partial(feed.batches, stream), "share": partial(feed.share, stream)}
    made = DensityStage(config(**changes))
    made.build(Inputs(data=data, device=CPU, steps=10, batch_size=BATCH, seed=0, **looks))
    randomise(made.flow)
    return made


def evaluate(made: DensityStage, split: str = "test") -> dict[str, float]:
    return {name: float(value) for name, value in made.evaluate(split, lambda: None).items()}


def reference(made: DensityStage) -> Reference:
    theirs = Reference(1, made.config.n_scale, made.config.blocks, made.config.width)
    load(theirs, made.flow)
    return theirs.eval()


@torch.no_grad()
def test_reported_bits_per_dim_are_the_mean_of_the_references() -> None:
    made = stage(eval_dequant_samples=3)
    theirs, generator = reference(made), torch.Generator().manual_seed(made.config.eval_seed)
    images, dims = pictures(SIZES["test"], 2), math.prod(SHAPE)
    single, bound = [], []
    for batch in images.split(BATCH):
        bits = [
            objective(theirs, batch, torch.rand(batch.shape, generator=generator), LEVELS) for _ in range(4)
        ]
        single.append(bits[0])
        nats = torch.stack(bits[1:]).double() * -dims * math.log(2)
        bound.append(-(nats.logsumexp(0) - math.log(3)) / (dims * math.log(2)))
    found = evaluate(made)
    assert found["test/bits_per_dim"] == pytest.approx(torch.cat(single).mean().item(), rel=1e-5)
    assert found["test/bits_per_dim_bound"] == pytest.approx(torch.cat(bound).mean().item(), rel=1e-5)
    assert found["test/nats"] == pytest.approx(found["test/bits_per_dim"] * dims * math.log(2), rel=1e-5)
    noise, first = torch.rand(BATCH, *SHAPE, generator=generator), images[:BATCH]
    for name, mode in (("eval_mode", False), ("train_mode", True)):
        expected = objective(theirs.train(mode), first, noise, LEVELS).mean().item()
        assert found[f"test/first_batch_{name}"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("flip", [False, True])
def test_the_histogram_is_that_of_all_training_images_as_they_are(flip: bool) -> None:
    train, test = (
        pictures(SIZES[part], seed).numpy().reshape(-1, 64) for part, seed in (("train", 0), ("test", 2))
    )
    counts = numpy.stack([numpy.bincount(column, minlength=LEVELS) for column in train.T]) + 1
    shares = counts / counts.sum(1, keepdims=True)
    expected = -numpy.log2(shares[numpy.arange(64), test]).mean()
    assert evaluate(stage(flip))["test/bits_per_dim_histogram"] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_look_does_not_depend_on_looks_before_it(workers: int) -> None:
    made = stage(flip=True, bn_recalibrate_batches=3)
    first = evaluate(made)
    torch.rand(7)
    evaluate(made, "validation")
    assert evaluate(made) == first
    other = stage(flip=True, workers=workers, bn_recalibrate_batches=3)
    evaluate(other, "validation")
    assert evaluate(other) == first


def test_a_step_trains_on_the_statistics_of_its_batch() -> None:
    made = stage(dropout=0.0)
    theirs = reference(made).train()
    batch = made.batch(made.sample(0))
    torch.manual_seed(3)
    noise = torch.rand(batch.images.shape)
    expected = objective(theirs, batch.images, noise, LEVELS).mean().item()
    before = {name: value.clone() for name, value in made.flow.named_buffers() if "running" in name}
    made.flow.eval()
    torch.manual_seed(3)
    found = made.step(batch, Updater(CPU, "fp32", 1, None), 0)
    assert float(found["bits_per_dim"]) == pytest.approx(expected, rel=1e-4)
    after = dict(made.flow.named_buffers())
    assert before
    assert all(not torch.equal(after[name], value) for name, value in before.items())
