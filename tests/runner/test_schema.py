"""Settings from plain values: names, types and ranges."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from runner import schema
from runner.errors import ConfigError


@dataclass(frozen=True)
class Inner:
    rate: float = field(metadata={"help": "a rate", "above": 0, "max": 1})


@dataclass(frozen=True)
class Outer:
    count: int = field(metadata={"help": "a count", "min": 1, "below": 10})
    name: str = field(metadata={"help": "a name"})
    mode: Literal["auto", True, False] = field(metadata={"help": "a mode"})
    sizes: tuple[int, ...] = field(metadata={"help": "sizes", "min": 2})
    limit: int | None = field(metadata={"help": "a limit"})
    classes: tuple[str, ...] | tuple[int, ...] | None = field(metadata={"help": "classes"})
    extra: dict[str, Any] = field(metadata={"help": "anything"})
    inner: Inner = field(metadata={"help": "more"})

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < self.count:
            raise ValueError("limit must be at least count")


@dataclass(frozen=True)
class Named:
    widths: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.widths:
            raise ValueError("method.widths must name one layer or more")


GOOD: dict[str, Any] = {
    "count": 3,
    "name": "x",
    "mode": "auto",
    "sizes": [2, 4],
    "limit": None,
    "classes": ["a", "b"],
    "extra": {"k": [1]},
    "inner": {"rate": 1},
}


def build(**changes: Any) -> Outer:
    return schema.build(Outer, {**GOOD, **changes}, "method", "conf/method/x.yaml")


def test_good_values_become_a_dataclass() -> None:
    made = build()
    assert made == Outer(3, "x", "auto", (2, 4), None, ("a", "b"), {"k": [1]}, Inner(1.0))
    assert isinstance(made.inner.rate, float)
    assert build(classes=[3, 7]).classes == (3, 7)


@pytest.mark.parametrize("mode", [True, False, "auto"])
def test_a_literal_keeps_its_type(mode: object) -> None:
    assert build(mode=mode).mode is mode


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"count": 0}, ["method.count=0", "at least 1"]),
        ({"count": 10}, ["method.count=10", "below 10"]),
        ({"count": 2.5}, ["method.count=2.5", "whole number"]),
        ({"count": 2.0}, ["whole number"]),
        ({"count": True}, ["method.count=true", "whole number"]),
        ({"count": "3"}, ["method.count=3", "whole number"]),
        ({"count": None}, ["method.count=null", "whole number"]),
        ({"name": 5}, ["method.name=5", "a text"]),
        ({"mode": 1}, ["method.mode=1", "auto, true, false"]),
        ({"mode": "aut"}, ["method.mode=aut", "auto, true, false"]),
        ({"sizes": 3}, ["method.sizes=3", "a list"]),
        ({"sizes": [4, 1]}, ["method.sizes[1]=1", "at least 2"]),
        ({"limit": 2}, ["limit must be at least count"]),
        ({"inner": {"rate": 0}}, ["method.inner.rate", "above 0"]),
        ({"inner": {"rate": 1.5}}, ["method.inner.rate", "at most 1"]),
        ({"inner": {"rate": float("nan")}}, ["method.inner.rate", "finite"]),
        ({"inner": {"rate": float("inf")}}, ["method.inner.rate", "finite"]),
        ({"inner": {}}, ["method.inner.rate", "no value"]),
        ({"inner": {"rate": 1, "rat": 2}}, ["method.inner.rat", "did you mean rate"]),
        ({"inner": 3}, ["method.inner=3", "group of keys"]),
        ({"conut": 3}, ["method.conut", "did you mean count"]),
    ],
)
def test_bad_values_are_a_sentence(changes: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        build(**changes)
    message = str(caught.value)
    assert "conf/method/x.yaml" in message
    assert "\n" not in message
    assert all(word in message for word in words), message


def test_keys_are_all_dotted_names() -> None:
    assert schema.keys(Outer)[-2:] == ["inner", "inner.rate"]
    assert schema.keys(Inner, "method") == ["method.rate"]


@pytest.mark.parametrize(
    ("path", "begins"), [("method", "method.widths must"), ("data", "data: method.widths")]
)
def test_a_sentence_that_begins_with_its_key_has_it_once(path: str, begins: str) -> None:
    with pytest.raises(ConfigError) as caught:
        schema.build(Named, {"widths": []}, path, "conf/method/x.yaml")
    assert str(caught.value).startswith(begins)
