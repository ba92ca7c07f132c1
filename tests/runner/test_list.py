from __future__ import annotations

from runner.verbs.list import WIDEST, columns


def test_the_column_is_as_wide_as_its_longest_name() -> None:
    assert columns([("a", "one"), ("a=long_name", "two"), ("b", "")]) == [
        "  a            one",
        "  a=long_name  two",
        "  b",
    ]


def test_a_name_wider_than_a_column_stands_alone() -> None:
    long = "x" * (WIDEST + 1)
    assert columns([("short", "one"), (long, "two"), (long, "")]) == [
        "  short  one",
        f"  {long}",
        "         two",
        f"  {long}",
    ]
