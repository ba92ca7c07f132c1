"""Vectors whose classes are known: what is useful, what is not, and what attributes give."""

from __future__ import annotations

from typing import Any

import pytest
import torch


def test_distractors_tell_nothing_of_the_class(load: Any) -> None:
    """Variance between classes, over that of the means of noise, 1 / images, in each number."""
    data = load("distractors", useful=2, irrelevant=3, spread=4.0, classes=(400, 5, 300), images=50)
    assert (data.shape, data.levels) == ((5,), None)
    for part in (data.train, data.test):
        classes = part.images.view(len(part), 50, 5)
        means = classes.mean(1).var(0)
        assert means[:2].sqrt().tolist() == pytest.approx([4, 4], rel=0.15)
        assert (means[2:] * 50).tolist() == pytest.approx([1, 1, 1], rel=0.3)
        assert classes.var(1).mean(0).tolist() == pytest.approx([1] * 5, rel=0.05)


def test_attributes_give_the_vectors_by_one_map_for_all_parts(load: Any) -> None:
    data = load("described", attributes=5, features=8, noise=0.0, classes=(30, 20, 25), images=3)
    maps = []
    for part in (data.train, data.validation, data.test):
        given = part.attributes.repeat_interleave(3, 0).double()
        found = torch.linalg.lstsq(given, part.images.double()).solution
        assert (given @ found - part.images).abs().max() < 1e-5
        maps.append(found)
    torch.testing.assert_close(maps[0], maps[2], rtol=0, atol=1e-4)
    assert not torch.equal(data.train.attributes[:20], data.validation.attributes)
    noisy = load("described", noise=2.0, classes=(50, 2, 2))
    assert noisy.train.images.view(50, 40, -1).var(1).mean().item() == pytest.approx(4, rel=0.05)


def test_the_same_each_time_and_other_settings_are_other_data(load: Any) -> None:
    one, two = load("distractors"), load("distractors")
    assert torch.equal(one.train.images, two.train.images)
    assert one.checksum == two.checksum
    assert load("distractors", spread=9.0).checksum != one.checksum
