"""Each form of expectation: with numbers worked out by hand, under the null, and with a planted effect."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from runner.claim.expect import (
    FORMS,
    NOT,
    OPEN,
    REPRODUCED,
    Bound,
    Crossing,
    Direction,
    Equal,
    Expectation,
    Ratio,
    Samples,
    Trend,
    Within,
    together,
)
from runner.claim.statistics import Values

NULLS = 2000
LEVEL = 0.95
CURVE = (1.0, 2.0, 4.0)
RISING = [[1, 2, 1], [2, 3.01, 1.99], [3, 4.02, 2.98]]


def samples(**arms: Any) -> Samples:
    """Arms by name; `a=[[...], ...]` is swept over `CURVE`, `[x, seeds]`."""
    found: dict[str, Values] = {}
    for name, values in arms.items():
        array = np.asarray(values, dtype=float)
        found[name] = array
        if array.ndim == 2 and len(array) == len(CURVE):
            found |= {f"{name}@{at:g}": array[i] for i, at in enumerate(CURVE)}
    return Samples(found.__getitem__, lambda arm: (list(CURVE), [f"{arm}@{at:g}" for at in CURVE]))


def less(by: float = 0.0) -> Direction:
    return Direction("direction", "a", "b", "less", by)


# Differences -1, -2, -3: mean -2, ends -2 -+ 2.484 (see test_statistics); -2, -2.1, -1.9: -2 -+ 0.248.
@pytest.mark.parametrize(
    ("expectation", "arms", "verdict", "estimate"),
    [
        (less(), {"a": [1, 1, 1], "b": [2, 3, 4]}, OPEN, -2),
        (less(), {"a": [1, 1, 1], "b": [3, 3.1, 2.9]}, REPRODUCED, -2),
        (less(), {"b": [1, 1, 1], "a": [3, 3.1, 2.9]}, NOT, 2),
        (less(1.7), {"a": [1, 1, 1], "b": [3, 3.1, 2.9]}, REPRODUCED, -2),
        (less(1.8), {"a": [1, 1, 1], "b": [3, 3.1, 2.9]}, OPEN, -2),
        (less(2.3), {"a": [1, 1, 1], "b": [3, 3.1, 2.9]}, NOT, -2),
        # Seeds that agree say nothing of the spread: the same run, rounding, a method without seeds.
        (less(), {"a": [1, 2, 3], "b": [1, 2, 3]}, OPEN, 0),
        (less(), {"a": [1, 2, 3], "b": [1 + 1e-7, 2 + 1e-7, 3 + 2e-7]}, OPEN, 0),
        (less(), {"a": [1, 1, 1], "b": [7, 7, 7]}, OPEN, -6),
        (Trend("trend", "a", "rising", "log"), {"a": [[0.1, 2], [0.1, 2], [0.1, 2]]}, OPEN, 0),
        (Ratio("ratio", "a", "b", 0.9, 1.1), {"a": [1, 2, 3], "b": [1, 2, 3]}, OPEN, 1),
        # Ties -1, -1, -2 are on a grid of 1: -4/3 -+ 1.434, and a step of 1 beyond.
        (less(-0.5), {"a": [-1, -1, -2], "b": [0, 0, 0]}, OPEN, -4 / 3),
        (less(-1.2), {"a": [-1, -1, -2], "b": [0, 0, 0]}, REPRODUCED, -4 / 3),
        (Direction("direction", "a", "b", "greater"), {"a": [3, 3.1, 2.9], "b": [1, 1, 1]}, REPRODUCED, 2),
        (Direction("direction", "a", "b", "greater", 2.3), {"a": [3, 3.1, 2.9], "b": [1, 1, 1]}, NOT, 2),
        # Ratios 1.99, 2, 2.01..., and 1, 2, 4, whose logarithms have the ends log 2 -+ 1.722.
        (Ratio("ratio", "a", "b", 1.9, 2.1), {"a": [1.99, 4, 6 / 0.995], "b": [1, 2, 3]}, REPRODUCED, 2),
        (Ratio("ratio", "a", "b", None, 1.9), {"a": [1.99, 4, 6 / 0.995], "b": [1, 2, 3]}, NOT, 2),
        (Ratio("ratio", "a", "b", 0.3, 12.0), {"a": [1, 2, 4], "b": [1, 1, 1]}, REPRODUCED, 2),
        (Ratio("ratio", "a", "b", 0.4, 12.0), {"a": [1, 2, 4], "b": [1, 1, 1]}, OPEN, 2),
        (Ratio("ratio", "a", "b", None, 1.0),
         {"a": [1 - 1e-8, 2 - 2.02e-8, 3 - 2.97e-8], "b": [1, 2, 3]}, OPEN, 1),  # rounding
        (Within("interval", "a", 1.7, 2.3), {"a": [2, 2.1, 1.9]}, REPRODUCED, 2),
        (Within("interval", "a", 1.8, 2.3), {"a": [2, 2.1, 1.9]}, OPEN, 2),
        (Within("interval", "a", None, 1.7), {"a": [2, 2.1, 1.9]}, NOT, 2),
        (Bound("bound", "a", None, 0.0), {"a": [0, 0, 0]}, REPRODUCED, 0),
        (Bound("bound", "a", None, 1e-8), {"a": [1e-9, 2e-8, 0]}, NOT, 2e-8),
        (Bound("bound", "a", 0.5, 0.5), {"a": [0.5, 0.5]}, REPRODUCED, 0.5),
        (Bound("bound", "a", 0.5, 0.5), {"a": [0.5]}, OPEN, 0.5),
        (Bound("bound", "a", None, 0.0), {"a": [0.5]}, NOT, 0.5),
        # Rounding errors are small differences, and not the same for each seed.
        (Equal("equal", "a", "b", 0.1), {"a": [1 + 1e-9, 2 - 2e-9, 3], "b": [1, 2, 3]}, REPRODUCED, 0),
        (Equal("equal", "a", "b", 0.1), {"a": [1, 2, 3], "b": [1, 2, 3]}, OPEN, 0),
        # 90 % ends of -2, -2.1, -1.9 around -2: -+ 0.169; 95 %: -+ 0.248.
        (Equal("equal", "a", "b", 2.2), {"a": [1, 1, 1], "b": [3, 3.1, 2.9]}, REPRODUCED, -2),
        (Equal("equal", "a", "b", 2.1), {"a": [1, 1, 1], "b": [3, 3.1, 2.9]}, OPEN, -2),
        (Equal("equal", "a", "b", 1.7), {"a": [1, 1, 1], "b": [3, 3.1, 2.9]}, NOT, -2),
        # Slopes against the rank: 1, 1.01 and 0.99.
        (Trend("trend", "a", "rising"), {"a": RISING}, REPRODUCED, 1),
        (Trend("trend", "a", "falling"), {"a": RISING}, NOT, 1),
        (Trend("trend", "a", "rising", "linear"), {"a": [[1, 2], [2.001, 3], [4, 5.001]]}, REPRODUCED, None),
        (Trend("trend", "a", "rising", "log"), {"a": np.outer(np.log(CURVE), [1, 1.01])}, REPRODUCED, 1.005),
        # It rises by its slope, and yet falls at the end for each seed.
        (Trend("trend", "a", "rising"), {"a": [[1, 2], [5, 6.01], [4, 5]]}, NOT, 1.5),
        # A step whose way cannot be told leaves it open, but for what is flat within the slack.
        (Trend("trend", "a", "rising"), {"a": [[1, 1.1], [5, 5.03], [5.1, 4.95]]}, OPEN, None),
        (Trend("trend", "a", "rising", slack=3.0),
         {"a": [[1, 1.1], [5, 5.03], [5.1, 4.95]]}, REPRODUCED, None),
        # -1 at 1, +1 at 2: between logarithms it crosses at the square root of 2.
        (Crossing("crossing", "a", "b", "less", 1.0, 4.0),
         {"a": [[0, 0.02], [2, 1.98], [3, 3.01]], "b": [[1, 1], [1, 1], [1, 1]]}, REPRODUCED, math.sqrt(2)),
        (Crossing("crossing", "a", "b", "greater", 1.0, 4.0),
         {"a": [[0, 0.02], [2, 1.98], [3, 3.01]], "b": [[1, 1], [1, 1], [1, 1]]}, NOT, math.sqrt(2)),
        (Crossing("crossing", "a", "b", "less", 1.0, 4.0),
         {"a": [[0, 0.9], [2, 2], [3, 3]], "b": [[1, 1], [1, 1], [1, 1]]}, OPEN, None),
    ],
)  # fmt: skip
def test_answers_by_hand(
    expectation: Expectation, arms: dict[str, Any], verdict: str, estimate: float | None
) -> None:
    found = expectation.judge(samples(**arms), LEVEL)
    assert found.verdict == verdict, found
    if estimate is not None:
        assert found.interval.estimate == pytest.approx(estimate, abs=1e-9)


def test_exact_numbers_need_no_spread() -> None:
    """Such as counts of parameters, of which the grid is said to be 0; of other grids a step is the doubt."""
    arms = {"a": [700, 700], "b": [500, 500]}
    for grid, verdict in ((0.0, NOT), (100.0, OPEN), (None, OPEN)):
        exact = Samples(
            {name: np.array(v, float) for name, v in arms.items()}.__getitem__, lambda _: ([], []), grid
        )
        assert Equal("equal", "a", "b", 150).judge(exact, LEVEL).verdict == verdict
        wanted = REPRODUCED if grid is not None else OPEN
        assert Direction("direction", "a", "b", "greater", 50).judge(exact, LEVEL).verdict == wanted
        assert Ratio("ratio", "a", "b", 1.1).judge(exact, LEVEL).verdict == wanted


def test_what_crosses_back_and_forth_does_not_cross() -> None:
    x, generator = (1.0, 2.0, 4.0, 8.0), np.random.default_rng(3)
    a = np.array([[-1.0], [1.0], [-1.0], [1.0]]) + 0.1 * noise(generator, 4, 3)
    found = {
        f"{name}@{at:g}": row
        for name, rows in (("a", a), ("b", 0 * a))
        for at, row in zip(x, rows, strict=True)
    }
    arms = Samples(found.__getitem__, lambda arm: (list(x), [f"{arm}@{at:g}" for at in x]))
    assert Crossing("crossing", "a", "b", "less", 1.0, 8.0).judge(arms, LEVEL).verdict == OPEN
    assert Crossing("crossing", "a", "b", "less", 4.0, 8.0).judge(arms, LEVEL).verdict == REPRODUCED


def test_a_crossing_that_some_seed_lacks_is_no_point() -> None:
    arms = samples(a=[[0, 2], [2, 2], [3, 3]], b=[[1, 1], [1, 1], [1, 1]])
    found = Crossing("crossing", "a", "b", "less", 1.0, 4.0).judge(arms, LEVEL)
    assert found.verdict == OPEN
    assert math.isnan(found.interval.estimate)


def test_a_ratio_of_what_is_not_positive_has_no_meaning() -> None:
    with pytest.raises(ValueError, match="positive"):
        Ratio("ratio", "a", "b", 1.0).judge(samples(a=[1, -1], b=[1, 1]), LEVEL)


def test_what_refutes_one_part_refutes_the_claim() -> None:
    assert together([REPRODUCED, REPRODUCED]) == REPRODUCED
    assert together([REPRODUCED, OPEN]) == OPEN
    assert together([REPRODUCED, OPEN, NOT]) == NOT


def noise(generator: np.random.Generator, *shape: int) -> Values:
    return generator.normal(size=shape)


def on_grid(generator: np.random.Generator, deviation: float) -> Values:
    """Three seeds' steps until something is reached, at a border of a grid of 100."""
    return np.round(generator.normal(250, deviation, 3) / 100) * 100


# For each form: numbers for which the claim is just not true, at the border of where it would be.
NULL: dict[str, tuple[Expectation, Callable[[np.random.Generator], dict[str, Any]]]] = {
    "direction": (less(), lambda g: {"a": noise(g, 3), "b": noise(g, 3)}),
    "direction by": (less(1.0), lambda g: {"a": noise(g, 3) - 1, "b": noise(g, 3)}),
    "direction, items": (less(), lambda g: {"a": noise(g, 4, 30), "b": noise(g, 4, 30)}),
    "ratio": (
        Ratio("ratio", "a", "b", None, 1.5),
        lambda g: {"a": 1.5 * np.exp(0.2 * noise(g, 3)), "b": np.exp(0.2 * noise(g, 3))},
    ),
    "interval": (Within("interval", "a", 0.0, 9.0), lambda g: {"a": noise(g, 3)}),
    "bound": (Bound("bound", "a", None, 0.0), lambda g: {"a": abs(noise(g, 3))}),
    "equal": (Equal("equal", "a", "b", 9.0), lambda g: {"a": noise(g, 3) + 9, "b": noise(g, 3)}),
    "crossing": (
        Crossing("crossing", "a", "b", "less", 1.0, 4.0),
        lambda g: {"a": noise(g, 3, 3), "b": noise(g, 3, 3)},
    ),
    "crossing, half": (
        Crossing("crossing", "a", "b", "less", 1.0, 4.0),
        lambda g: {"a": noise(g, 3, 3) - [[50], [50], [0]], "b": noise(g, 3, 3)},
    ),
    "trend": (Trend("trend", "a", "rising"), lambda g: {"a": noise(g, 3, 3)}),
    "trend, then flat": (Trend("trend", "a", "rising"), lambda g: {"a": noise(g, 3, 3) + [[0], [99], [99]]}),
    "trend, then back": (Trend("trend", "a", "rising"), lambda g: {"a": noise(g, 3, 3) + [[0], [10], [8]]}),
    "direction, one seed of many items": (less(), lambda g: {"a": noise(g, 1, 200), "b": noise(g, 1, 200)}),
    "direction, no seeds": (less(), lambda g: {"a": [g.normal()] * 3, "b": [g.normal()] * 3}),
    "direction, signs": (less(), lambda g: {"a": g.choice([-1, 1], size=3), "b": [0, 0, 0]}),
    "direction, few values": (less(), lambda g: {"a": g.choice([-1, 0, 0, 1], size=3), "b": [0, 0, 0]}),
    "direction, coarse": (less(), lambda g: {"a": on_grid(g, 60), "b": on_grid(g, 60)}),
    "direction, coarser": (less(), lambda g: {"a": on_grid(g, 30), "b": on_grid(g, 30)}),
    "interval, a share": (Within("interval", "a", 0.97), lambda g: {"a": g.binomial(36, 0.97, 3) / 36}),
    "interval, yes or no": (Within("interval", "a", 0.5), lambda g: {"a": g.binomial(1, 0.5, 3)}),
}
"""Of the last, each was found to be reproduced too often when no tie was asked for: 11 to 50 %."""


def test_each_form_has_a_null() -> None:
    assert {name.partition(",")[0].partition(" ")[0] for name in NULL} == set(FORMS)


@pytest.mark.parametrize("name", NULL)
def test_noise_alone_reproduces_nothing(name: str) -> None:
    expectation, draw = NULL[name]
    generator = np.random.default_rng(11)
    verdicts = [expectation.judge(samples(**draw(generator)), LEVEL).verdict for _ in range(NULLS)]
    assert verdicts.count(REPRODUCED) / NULLS <= 0.06


def test_two_ends_are_each_tested() -> None:
    """A truth at either end of an interval comes out inside of it no more often than is said."""
    generator = np.random.default_rng(12)
    expectation = Within("interval", "a", -6.0, 6.0)
    for end in (-6.0, 6.0):
        found = [expectation.judge(samples(a=noise(generator, 3) + end), LEVEL).verdict for _ in range(NULLS)]
        assert found.count(REPRODUCED) / NULLS <= 0.06


@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize("form", ["direction", "ratio", "interval", "trend"])
def test_a_planted_effect_is_found_as_often_as_theory_says(form: str, seeds: int) -> None:
    """An effect of two standard errors: the noncentral t, about 22 % with three seeds."""
    theory = stats.nct.sf(stats.t.ppf(0.975, seeds - 1), seeds - 1, 2.0)
    generator, shift, found = np.random.default_rng(13), 2 / math.sqrt(seeds), 0
    count = 2 * NULLS
    for _ in range(count):
        z = noise(generator, seeds) - shift
        expectations: dict[str, tuple[Expectation, Samples]] = {
            "direction": (less(), samples(a=z, b=np.zeros(seeds))),
            "ratio": (Ratio("ratio", "a", "b", None, 1.0), samples(a=np.exp(z), b=np.ones(seeds))),
            "interval": (Within("interval", "a", None, 0.0), samples(a=z)),
            # Slopes z, on lines without any noise of their own.
            "trend": (Trend("trend", "a", "falling"), samples(a=np.outer([0, 1, 2], z))),
        }
        expectation, arms = expectations[form]
        found += expectation.judge(arms, LEVEL).verdict == REPRODUCED
    assert found / count == pytest.approx(theory, abs=0.03)
    assert seeds != 3 or theory == pytest.approx(0.22, abs=0.01)


def test_equality_is_found_as_often_as_theory_says() -> None:
    """Two one-sided tests of five seeds at a margin of four standard errors."""
    generator, seeds, margin = np.random.default_rng(14), 5, 4 / math.sqrt(5)
    expectation = Equal("equal", "a", "b", margin)
    found = sum(
        expectation.judge(samples(a=noise(generator, seeds), b=np.zeros(seeds)), LEVEL).verdict == REPRODUCED
        for _ in range(NULLS)
    )
    reference = np.random.default_rng(15).normal(size=(20_000, seeds))
    lower = stats.ttest_1samp(reference, -margin, axis=1, alternative="greater").pvalue < 0.05
    upper = stats.ttest_1samp(reference, margin, axis=1, alternative="less").pvalue < 0.05
    assert found / NULLS == pytest.approx((lower & upper).mean(), abs=0.03)


def test_reversed_arms_are_reversed_verdicts() -> None:
    a, b = [1.0, 1.1, 0.9], [3.0, 3.1, 3.2]
    assert less().judge(samples(a=a, b=b), LEVEL).verdict == REPRODUCED
    assert less().judge(samples(a=b, b=a), LEVEL).verdict == NOT
