"""The embedded default: scikit-learn's digits, and the parts that every set goes through."""

from __future__ import annotations

import dataclasses
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from datasets import build
from datasets.types import DataError


def test_digits_have_their_fixed_split_and_are_scikit_learns(load: Any, everything: Any) -> None:
    data = load("digits")
    assert (data.shape, data.levels, data.classes) == ((1, 8, 8), 17, tuple("0123456789"))
    assert (len(data.train), len(data.validation), len(data.test)) == (1297, 200, 300)
    raw = load_digits()
    truth = sorted(
        (image.astype(np.uint8).tobytes(), int(label))
        for image, label in zip(raw.images, raw.target, strict=True)
    )
    batches = [everything(part) for part in (data.train, data.validation, data.test)]
    ours = [
        (image.tobytes(), label)
        for batch in batches
        for image, label in zip(batch.images.numpy(), batch.labels.tolist(), strict=True)
    ]
    assert sorted(ours) == truth
    assert batches[0].images.dtype == torch.uint8
    assert batches[0].labels.dtype == torch.int64
    assert int(batches[0].images.max()) == 16


def test_the_split_never_changes(load: Any, everything: Any) -> None:
    # The labels along a permutation that was computed with Python's own integers.
    data = load("digits")
    assert everything(data.train).labels[:12].tolist() == [5, 4, 3, 3, 3, 4, 1, 3, 7, 7, 1, 6]
    assert everything(data.test).labels[-12:].tolist() == [4, 9, 3, 7, 2, 2, 1, 5, 2, 7, 4, 9]


def test_every_class_is_in_every_part_about_equally(load: Any, everything: Any) -> None:
    data = load("digits")
    for part in (data.train, data.validation, data.test):
        counts = torch.bincount(everything(part).labels, minlength=10).double()
        assert (counts - len(part) / 10).abs().max() < 4 * (len(part) * 0.09) ** 0.5


def test_the_checksum_never_changes_by_itself(load: Any) -> None:
    assert load("digits").checksum == "29b7c95e4e191f023f269f1e94fe3383f5c4122245d4a8168c98d2c3ab2971fd"


def test_the_checksum_covers_what_is_read_and_nothing_else(load: Any) -> None:
    base = load("digits").checksum
    assert {
        load("digits", **same).checksum
        for same in ({"batch_size": 7}, {"flip": True}, {"crop": 1}, {"size": 8})
    } == {base}
    assert load("digits", in_memory=False).checksum == base
    assert load("digits", classes=("3", "1")).checksum == load("digits", classes=(3, 1)).checksum
    changed = [{"levels": 4}, {"limit": 50}, {"size": 4}, {"classes": (3, 1)}, {"classes": (1, 3)}]
    assert len({base, *(load("digits", **change).checksum for change in changed)}) == 6


def test_classes_limit_and_levels(load: Any, everything: Any) -> None:
    whole, data = load("digits"), load("digits", classes=("8", "3"), limit=20, levels=2)
    assert data.classes == ("8", "3")
    assert data.levels == 2
    batch = everything(whole.train)
    wanted = [n for n, label in enumerate(batch.labels.tolist()) if label in (3, 8)][:20]
    ours = everything(data.train)
    assert ours.labels.tolist() == [0 if batch.labels[n] == 8 else 1 for n in wanted]
    assert torch.equal(ours.images, (batch.images[wanted].long() * 2 // 17).to(torch.uint8))
    assert (len(data.train), len(data.validation), len(data.test)) == (20, 20, 20)


def test_unknown_classes_are_one_sentence(load: Any) -> None:
    with pytest.raises(DataError, match="no class 'ten'"):
        load("digits", classes=("ten",))


@pytest.mark.parametrize("size", [4, 5, 12])
def test_other_sizes_are_pillows_antialiased_ones(load: Any, everything: Any, size: int) -> None:
    ours = everything(load("digits", size=size).test).images[:, 0].numpy()
    whole = everything(load("digits").test).images[:, 0].numpy().astype(np.float32)
    bilinear = Image.Resampling.BILINEAR
    theirs = np.stack([np.asarray(Image.fromarray(image).resize((size, size), bilinear)) for image in whole])
    assert np.abs(ours - theirs).max() < 0.501


@pytest.mark.parametrize("changes", [{}, {"size": 12, "levels": 5}, {"classes": (1, 2), "limit": 30}])
def test_memory_and_disk_give_the_same_batches(load: Any, changes: dict[str, Any]) -> None:
    held, mapped = (load("digits", in_memory=flag, flip=True, crop=1, **changes) for flag in (True, False))
    assert (held.in_memory, mapped.in_memory) == (True, False)
    indices = torch.tensor([5, 0, 29, 5])
    for part in ("train", "validation", "test"):
        batches = []
        for data in (held, mapped, pickle.loads(pickle.dumps(mapped))):
            torch.manual_seed(0)
            batches.append(getattr(data, part).batch(indices))
        assert all(torch.equal(one.images, batches[0].images) for one in batches)
        assert all(torch.equal(one.labels, batches[0].labels) for one in batches)


@pytest.mark.parametrize("in_memory", [True, False])
def test_batches_share_nothing_with_the_data_or_each_other(
    load: Any, everything: Any, in_memory: bool
) -> None:
    data = load("digits", in_memory=in_memory, flip=True)
    first = data.test.batch(torch.arange(8))
    kept = first.images.clone()
    second = data.test.batch(torch.arange(8, 16))
    assert torch.equal(first.images, kept)
    first.images.zero_()
    second.labels.zero_()
    assert torch.equal(data.test.batch(torch.arange(8)).images, kept)
    assert data.test.batch(torch.arange(8, 16)).labels.any()


def test_only_training_batches_are_augmented(load: Any) -> None:
    data, plain = load("digits", flip=True, crop=1), load("digits")
    indices = torch.arange(64)
    for part, equal in (("train", False), ("validation", True), ("test", True)):
        before = torch.get_rng_state()
        batches = [getattr(one, part).batch(indices).images for one in (data, plain)]
        assert torch.equal(*batches) == equal
        assert torch.equal(torch.get_rng_state(), before) == equal


def test_flipping_does_not_wear_the_data_down(load: Any, everything: Any) -> None:
    data = load("digits", flip=True)
    plain = everything(load("digits").train).images
    for _ in range(3):
        images = everything(data.train).images
        assert bool(((images == plain) | (images == plain.flip(-1))).flatten(1).all(1).all())


def test_auto_holds_in_memory_what_fits(load: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load("digits").in_memory
    monkeypatch.setattr(build, "MEMORY", 1797 * 64 - 1)
    assert not load("digits").in_memory
    assert load("digits", limit=100).in_memory


def test_settings_may_not_be_changed_afterwards(settings: Any) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings("digits").limit = 3
