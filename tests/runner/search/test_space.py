"""From the words of the command to what is searched over, and back to the words of a trial."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from hydra.core.override_parser.types import Quote, QuotedString
from hypothesis import assume, given
from hypothesis import strategies as st

from runner.compose import Composer, parse
from runner.errors import ConfigError
from runner.search.space import Choices, Interval, Space, Steps, read_space


def space(*words: str, sampler: str = "tpe") -> Space:
    return read_space(parse(words), sampler)


def dimension(word: str) -> Any:
    (found,) = space(word).dimensions.values()
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("interval(4,64)", Interval(4.0, 64.0, False)),
        ("interval(-1,1e-3)", Interval(-1.0, 1e-3, False)),
        ("int(interval(4,64))", Interval(4, 64, False)),
        ("tag(log,interval(1e-5,1e-2))", Interval(1e-5, 1e-2, True)),
        ("tag(log,int(interval(4,64)))", Interval(4, 64, True)),
        ("int(tag(log,interval(4,64)))", Interval(4, 64, True)),
        ("range(4)", Steps(0, 1, 4)),
        ("range(1,9,2)", Steps(1, 2, 4)),
        ("range(10,1,-3)", Steps(10, -3, 3)),
        ("range(0,1,0.25)", Steps(0.0, 0.25, 4)),
        ("float(range(1,3))", Steps(1.0, 1.0, 2)),
        ("a,b", Choices(("a", "b"))),
        ("choice(a,b,a)", Choices(("a", "b"))),
        ("sort(3,1,2)", Choices(("1", "2", "3"))),
        ("1,1.0,1e-3,0.001", Choices(("1", "1.0", "0.001"))),
        ("null,0.9", Choices(("null", "0.9"))),
        ("str(choice(1,true))", Choices(("'1'", "'true'"))),
        ("choice('it\\'s','')", Choices((r"'it\'s'", "''"))),
        ("[1,2],[3]", Choices(("[1,2]", "[3]"))),
    ],
)
def test_the_syntax_of_hydras_plugin(text: str, expected: Any) -> None:
    found = dimension(f"a.b={text}")
    assert found == expected
    assert isinstance(getattr(found, "low", 0), type(getattr(expected, "low", 0)))
    assert isinstance(getattr(found, "first", 0), type(getattr(expected, "first", 0)))


@pytest.mark.parametrize(
    "text", ["interval(0,0.5)", "tag(log,int(interval(4,64)))", "range(1.0,2.0,0.1)", "a,b"]
)
def test_a_dimension_is_shown_as_it_can_be_typed(text: str) -> None:
    assert dimension(f"a={dimension(f'a={text}')}") == dimension(f"a={text}")


def test_a_range_holds_what_is_written() -> None:
    tenths = dimension("a=range(0,1,0.1)")
    assert [tenths[i] for i in range(tenths.count)] == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    assert dimension("a=range(0,0.9,0.3)").count == 3
    assert dimension("a=range(0,0.7,0.3)").count == 3
    assert tenths.text(0.30000000000000004) == "0.3"


@given(st.integers(-50, 50), st.integers(-50, 50), st.integers(1, 7))
def test_a_range_of_whole_numbers_is_hydras(start: int, stop: int, step: int) -> None:
    step = step if start <= stop else -step
    numbers = [str(n) for n in range(start, stop, step)]
    if len(numbers) > 1:
        found = dimension(f"a=range({start},{stop},{step})")
        assert [found.text(found[i]) for i in range(found.count)] == numbers


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("interval(1e-2,1e-5)", "the smaller end comes first"),
        ("interval(1,1)", "the smaller end comes first"),
        ("int(interval(1.2,1.8))", "the smaller end comes first"),
        ("tag(log,interval(0,1))", "above 0"),
        ("tag(log,interval(-1,1))", "above 0"),
        ("tag(log,int(interval(0.5,8)))", "above 0"),
        ("interval(0,inf)", "has no end"),
        ("interval(nan,1)", "has no end"),
        ("tag(lgo,interval(1,2))", "only log is"),
        ("tag(log,range(1,9))", "belongs to an interval"),
        ("tag(log,choice(1,9))", "belongs to an interval"),
        ("glob(*)", r"does not read glob"),
        ("shuffle(1,2,3)", r"does not read shuffle"),
        ("shuffle(range(1,4))", r"does not read shuffle"),
        ("range(5,1)", "holds no values"),
        ("range(1,5,0)", "holds no values"),
        ("range(0,inf)", "holds no values"),
        ("range(0,1,1e-9)", "more than a million"),
        ("range(1e17,1.001e17,1.0)", "too close to differ"),
        ("int(interval(0,1e18))", "whole numbers go up to"),
        ("range(0,10000000000000000000,1000000000000000000)", "whole numbers go up to"),
    ],
)
def test_what_cannot_be_searched_is_a_sentence_with_its_key(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        space(f"method.lr={text}")
    assert str(caught.value).startswith("method.lr: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "words", [[], ["seed=1"], ["seed=1", "method.lr=choice(1)"], ["seed=1,1"], ["~debug"]]
)
def test_nothing_to_search_is_a_sentence_with_an_example(words: list[str]) -> None:
    with pytest.raises(
        ConfigError, match=r"nothing to search; .*method\.lr='tag\(log,interval\(1e-5,1e-2\)\)'"
    ):
        space(*words)


def test_the_examples_in_messages_are_right() -> None:
    assert dimension("k=tag(log,interval(1e-5,1e-2))").log
    assert dimension("k=range(1,4)").count == 3


def test_a_grid_has_no_intervals() -> None:
    with pytest.raises(ConfigError, match=r"^method\.lr: sweeper\.sampler=grid cannot"):
        space("method.lr=interval(0,1)", "seed=1,2", sampler="grid")
    assert space("method.lr=range(3)", "seed=1,2", sampler="grid").size == 6


@pytest.mark.parametrize("key", ["sweeper.trials", "sweep.retries", "launcher", "hydra/launcher", "outputs"])
def test_what_all_trials_share_is_not_searched(key: str) -> None:
    with pytest.raises(ConfigError, match="the same for all trials"):
        space(f"{key}=1,2")
    assert space("sweeper=optuna", "outputs=x", "seed=1,2").fixed == ("sweeper=optuna", "outputs=x")


def test_the_job_keeps_the_commands_order_and_its_fixed_words() -> None:
    found = space("method=realnvp", "method.lr=interval(0,1)", "preset=null", "seed=1,2", "trainer.ema=0.9")
    assert found.fixed == ("method=realnvp", "preset=none", "trainer.ema=0.9")
    assert list(found.dimensions) == ["method.lr", "seed"]
    values = {"method.lr": 0.25, "seed": "2"}
    assert found.words(values) == ("method.lr=0.25", "seed=2")
    assert found.job(values) == (
        "method=realnvp", "method.lr=0.25", "preset=none", "seed=2", "trainer.ema=0.9",
    )  # fmt: skip
    assert found.size is None


def test_of_words_with_the_same_key_the_last_counts() -> None:
    assert space("seed=1,2", "a=1,2", "seed=5").job({"a": "1"}) == ("seed=5", "a=1")
    assert space("seed=5", "+a=1,2", "seed=1,2").words({"seed": "1", "+a": "2"}) == ("seed=1", "+a=2")


def test_every_combination_has_its_number() -> None:
    found = space("a=x,y", "b=range(3)", "c=range(0,1,0.5)")
    words = {found.words(found.combination(i)) for i in range(12)}
    assert found.size == len(words) == 12


def test_probes_hold_every_choice_and_both_ends() -> None:
    found = space("a=x,y,z", "b=int(interval(2,8))", "c=range(1,9,2)", "seed=0")
    jobs = list(found.probes())
    assert {word for job in jobs for word in job} == {
        "a=x", "a=y", "a=z", "b=2", "b=8", "c=1", "c=7", "seed=0",
    }  # fmt: skip
    assert len(jobs) == 3


def test_a_name_that_reads_as_something_else_stays_a_name() -> None:
    assert dimension("debug=nan,fast").texts == ("'nan'", "fast")
    assert dimension("preset=null,realnvp/digits").texts == ("none", "realnvp/digits")


FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@given(FLOATS)
def test_a_number_comes_back_bit_for_bit(value: float) -> None:
    text = Interval(-1.0, 1.0, False).text(value)
    (override,) = parse([f"method.lr={text}"])
    back = override.value()
    assert isinstance(back, float)
    assert back.hex() == value.hex()
    assert yaml.safe_load(yaml.safe_dump(back)).hex() == value.hex()


# a word holds no control characters
TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="\x7f"), max_size=12)
SCALARS = st.one_of(TEXTS, st.booleans(), FLOATS, st.integers(-(10**20), 10**20))


def written(value: Any) -> str:
    return QuotedString(value, Quote.single).with_quotes() if isinstance(value, str) else repr(value)


@given(st.lists(SCALARS, min_size=2, max_size=5, unique_by=repr), st.sampled_from(["{}", "choice({})"]))
def test_choices_come_back_as_they_were_given(values: list[Any], form: str) -> None:
    word = "a.b=" + form.format(",".join(map(written, values)))
    assume(not re.search(r"\$\{|_target_|\(\)", word))  # which no configuration may hold
    found = space(word)
    back = [parse(found.words({"a.b": text}))[0].value() for text in dimension(word).texts]
    assert list(map(repr, back)) == list(map(repr, values))


def test_words_compose() -> None:
    words = [
        "method=realnvp",
        "method.lr=tag(log,interval(1e-5,1e-2))",
        "method.net_norm=batch,none",
        "method.blocks=tag(log,int(interval(2,8)))",
        "method.dropout=range(0,0.5,0.1)",
        "method.factor_out=true,false",
        "trainer.clip=null,0.5",
        "preset=null,realnvp/digits",
        "debug=nan,none",
    ]
    composer = Composer(words)
    found = read_space(parse(composer.words))
    values = {
        "method.lr": 1.2345678901234567e-05, "method.net_norm": "none", "method.blocks": 3,
        "method.dropout": 0.30000000000000004, "method.factor_out": "False", "trainer.clip": "null",
        "preset": "none", "debug": "'nan'",
    }  # fmt: skip
    composed = composer.compose(found.job(values))
    method = composed.method_config
    assert (method.lr, method.net_norm, method.blocks) == (1.2345678901234567e-05, "none", 3)
    assert (method.dropout, method.factor_out, composed.root.trainer.clip) == (0.3, False, None)
    assert (composed.choices["preset"], composed.choices["debug"]) == ("none", "nan")
    assert yaml.safe_load(yaml.safe_dump(composed.config))["method"]["lr"] == method.lr
    for job in found.probes():
        composer.compose(job)
