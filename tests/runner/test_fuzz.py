"""Generated bad commands: each is one sentence, none is accepted, none is a traceback."""

from __future__ import annotations

import dataclasses
import typing
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner import schema
from runner.cli import PATHS, sort_words
from runner.compose import Composer
from runner.errors import ConfigError
from runner.registry import Registry
from runner.settings import RootSettings

REGISTRY = Registry()
METHODS = {name: found.refer(found.entry.config) for name, found in REGISTRY.methods(installed=False).items()}
PARTS: dict[str, type] = {"": RootSettings}
KNOWN = set(schema.keys(RootSettings)) | {"method", "dataset", "preset", "experiment"}


def leaves(cls: type, path: str) -> list[tuple[str, Any, dict[str, Any]]]:
    """Key, type and limits of every single value below a dataclass."""
    found = []
    for item in dataclasses.fields(cls):
        hint, key = schema._hints(cls)[item.name], f"{path}{item.name}"
        if dataclasses.is_dataclass(hint):
            found += leaves(typing.cast(type, hint), f"{key}.")
        else:
            found.append((key, hint, dict(item.metadata)))
    return found


LEAVES = leaves(RootSettings, "") + leaves(METHODS["realnvp"], "method.")
LEAVES += leaves(REGISTRY.dataset("digits").entry.config, "dataset.")
NAMES = {key for key, _, _ in LEAVES} | KNOWN
WORD = st.from_regex(r"[a-z][a-z_]{0,9}", fullmatch=True)


@st.composite
def misspelt_keys(draw: st.DrawFn) -> str:
    key = draw(st.sampled_from(sorted(NAMES)))
    place = draw(st.integers(0, len(key) - 1))
    letter = draw(st.sampled_from("abcxyz_."))
    wrong = draw(
        st.sampled_from([key[:place] + key[place + 1 :], key[:place] + letter + key[place:], key + "s"])
    )
    prefix = draw(st.sampled_from(["", "+", "++"]))
    if wrong in NAMES or not wrong or wrong.startswith("methods.path"):
        wrong = "nonsense"
    return f"{prefix}{wrong}={draw(st.sampled_from(['1', 'x', 'null', '[1,2]']))}"


@st.composite
def wrong_types(draw: st.DrawFn) -> str:
    key, hint, _ = draw(st.sampled_from([leaf for leaf in LEAVES if leaf[0] != "methods.path"]))
    members = set(typing.get_args(hint)) | {hint}
    tuples = any(typing.get_origin(member) is tuple for member in members)
    values = ["{a:1}", "{a:{b:2}}", "nan", "[[1]]", "inf"]
    if not tuples:
        values += ["[]", "[1,x]"]
    if str in members or dict in {typing.get_origin(member) for member in members}:
        values = (
            ["{a:1}", "[1]", *([] if key in PATHS else ["3.5", "true"])] if str in members else ["3", "x"]
        )
    return f"{key}={draw(st.sampled_from(values))}"


@st.composite
def out_of_range(draw: st.DrawFn) -> str:
    bounded = [(k, m) for k, _, m in LEAVES if {"min", "above", "max", "below"} & set(m)]
    key, limits = draw(st.sampled_from(bounded))
    beyond = draw(st.integers(1, 10**6))
    values = [limits[name] - beyond for name in ("min", "above") if name in limits]
    values += [limits[name] + beyond for name in ("max", "below") if name in limits]
    return f"{key}={draw(st.sampled_from(values))}"


@st.composite
def wrong_choices(draw: st.DrawFn) -> str:
    group = draw(st.sampled_from(["method", "dataset", "preset", "experiment", "trainer", "debug"]))
    name = draw(WORD | st.sampled_from(["1", "true", "1.5", "a/b", "../x", "[a]", "{a:1}", "''"]))
    return f"{group}={name}qq" if name.isalpha() else f"{group}={name}"


def injections() -> st.SearchStrategy[str]:
    key = st.sampled_from(["method", "dataset", "trainer", "data", "debug", "hydra", "hydra.job_logging"])
    evil = [
        "_target_=os.system",
        "x._target_=os.system",
        "().x=1",
        "x.()=1",
        "y='${oc.env:HOME}'",
        "z=${now:%Y}",
    ]
    return st.builds(
        lambda k, e, p: f"{p}{k}.{e}", key, st.sampled_from(evil), st.sampled_from(["", "+", "++"])
    )


def garbage() -> st.SearchStrategy[str]:
    text = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
    broken = st.sampled_from(
        ["method.lr=[1", "a={", "=", "==", "=1", "seed=", "method=", "~", "~nothing", "+", "a=b=c"]
    )
    return (
        broken | text.map(lambda t: t if "=" not in t else "?" + t) | text.map(lambda t: f"method.lr={t}x]")
    )


def compose(words: list[str]) -> None:
    sorted_words = sort_words(words)
    Composer(sorted_words.overrides, sorted_words.config_dirs).compose()


BAD = misspelt_keys() | wrong_types() | out_of_range() | wrong_choices() | injections() | garbage()
GOOD = st.sampled_from(
    ["seed=3", "method.lr=1e-4", "dataset=digits", "trainer.steps=5", "debug=nan", "preset=null"]
)


def commands(examples: int) -> Any:
    """Gives a test that many bad words among good ones."""

    def decorate(test: Any) -> Any:
        common = {"deadline": None, "derandomize": True, "suppress_health_check": list(HealthCheck)}
        among = st.lists(GOOD, max_size=2, unique_by=lambda word: word.partition("=")[0])
        return settings(max_examples=examples, **common)(
            given(bad=BAD, good=among, first=st.booleans())(test)
        )

    return decorate


@commands(120)
def test_no_bad_command_is_accepted_and_none_is_a_traceback(bad: str, good: list[str], first: bool) -> None:
    refused(bad, good, first)


@pytest.mark.slow
@commands(1000)
def test_none_of_a_thousand_is_accepted(bad: str, good: list[str], first: bool) -> None:
    refused(bad, good, first)


def refused(bad: str, good: list[str], first: bool) -> None:
    words = [bad, *good] if first else [*good, bad]
    if bad.partition("=")[0].lstrip("+~") in {word.partition("=")[0] for word in good} and first:
        words = [bad]  # a later good value would rightly win over the bad one
    with pytest.raises(ConfigError) as caught:
        compose(words)
    assert str(caught.value).strip()
    assert "\n" not in str(caught.value)
