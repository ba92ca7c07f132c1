from __future__ import annotations

import random

from runner import order


def test_numbers_in_names_sort_by_value() -> None:
    names = ["lr=1e-05", "lr=0.0003", "lr=0.001", "lr=2", "lr=10"]
    assert sorted(random.Random(0).sample(names, len(names)), key=order.natural) == names


def test_the_ends_of_an_interval_follow_their_metric() -> None:
    names = ["error", "error_low", "error_high", "error_2", "error_2_low", "error_2_high", "error_16"]
    names += ["error_128", "error_train", "error_train_low", "error_train_high", "loss"]
    mixed = random.Random(0).sample(names, len(names))
    assert sorted(mixed, key=order.metric) == names
