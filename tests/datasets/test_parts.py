"""Permutations that never change, held-out images, classes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.parts import chosen_classes, hold_out, permutation, splitmix64, thin_out
from datasets.types import DataError

NAMES = ("cat", "dog", "horse", "mouse")


def test_splitmix64_gives_the_published_numbers() -> None:
    # The first outputs for seed 1234567 that implementations in many languages are checked with.
    expected = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    assert splitmix64(1234567, 5).tolist() == expected


@given(st.integers(1, 3000), st.text(max_size=8))
def test_a_permutation_holds_every_number_once(items: int, key: str) -> None:
    assert np.array_equal(np.sort(permutation(items, key)), np.arange(items))


def test_permutations_differ_by_key_and_do_not_change() -> None:
    assert permutation(8, "digits").tolist() == [5, 4, 1, 6, 7, 3, 2, 0]
    assert permutation(1000, "a").tolist() != permutation(1000, "b").tolist()


def test_permutations_mix() -> None:
    order = permutation(10_000, "mnist")
    assert abs(np.corrcoef(order, np.arange(10_000))[0, 1]) < 0.03
    assert abs(order[:1000].mean() - 4999.5) < 300


@given(st.integers(2, 500), st.integers(1, 400))
def test_held_out_images_and_the_rest_are_all_images(items: int, validation: int) -> None:
    if validation >= items:
        with pytest.raises(DataError, match=r"dataset\.validation"):
            hold_out(items, validation, "x")
        return
    train, held = hold_out(items, validation, "x")
    assert len(held) == validation
    assert sorted([*train, *held]) == list(range(items))
    assert np.all(np.diff(train) > 0)
    assert np.all(np.diff(held) > 0)


def test_more_validation_keeps_what_was_held_out() -> None:
    assert set(hold_out(100, 10, "x")[1]) < set(hold_out(100, 20, "x")[1])


def test_classes_are_taken_by_name_and_number_in_the_order_wanted() -> None:
    assert chosen_classes(None, NAMES) == [0, 1, 2, 3]
    assert chosen_classes(("mouse", "cat"), NAMES) == [3, 0]
    assert chosen_classes((2, 0), NAMES) == [2, 0]
    assert chosen_classes(("7", "1"), ("1", "7")) == [1, 0]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (("hors",), "horse"),
        ((4,), "numbered 0 to 3"),
        ((-1,), "no class -1"),
        ((), "names no class"),
        ((1, 1), "twice"),
    ],
)
def test_wrong_classes_are_one_sentence(wanted: tuple[str | int, ...], message: str) -> None:
    with pytest.raises(DataError, match=message) as error:
        chosen_classes(wanted, NAMES)
    assert "dataset.classes" in str(error.value)


def test_thinning_keeps_the_first_and_renames() -> None:
    labels = np.array([0, 1, 2, 1, 0, 2, 1])
    numbers, new = thin_out(np.array([6, 5, 4, 3, 2, 1]), labels, [1, 0], 3)
    assert numbers.tolist() == [6, 4, 3]
    assert new.tolist() == [0, 1, 0]
