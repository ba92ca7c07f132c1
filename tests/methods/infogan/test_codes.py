"""Codes: how they are drawn, and what guesses are worth, where it is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from methods.infogan.codes import LOG_SD, CodeSpec

PAPER = {"mnist": ((10,), 2, 62, 74), "svhn": ((10,) * 4, 4, 124, 168), "celeba": ((10,) * 10, 0, 128, 228),
         "faces": ((), 5, 128, 133), "chairs": ((20,) * 3, 1, 128, 189)}  # fmt: skip


@pytest.mark.parametrize(("categorical", "uniform", "noise", "width"), PAPER.values(), ids=PAPER)
def test_the_generators_input_is_as_wide_as_the_papers(
    categorical: tuple[int, ...], uniform: int, noise: int, width: int
) -> None:
    spec = CodeSpec(categorical, uniform)
    assert noise + spec.width == width
    assert spec.draw(3).shape == (3, spec.width)
    assert spec.guess_width == sum(categorical) + 2 * uniform


def test_what_is_drawn_has_its_distribution() -> None:
    torch.manual_seed(0)
    spec = CodeSpec((10, 3), 2, 1)
    drawn = spec.draw(20_000)
    for code in spec.categorical:
        one_hot = drawn[:, code.slice]
        assert torch.equal(one_hot.sum(1), torch.ones(20_000))
        assert set(one_hot.unique().tolist()) == {0.0, 1.0}
        assert stats.chisquare(one_hot.sum(0).numpy()).pvalue > 1e-3
    uniform, second, normal = (drawn[:, code.at].numpy() for code in spec.continuous)
    assert stats.kstest(uniform, stats.uniform(-1, 2).cdf).pvalue > 1e-3
    assert stats.kstest(normal, stats.norm.cdf).pvalue > 1e-3
    assert abs(np.corrcoef(uniform, second)[0, 1]) < 0.03
    assert [code.name for code in spec.codes] == ["c1", "c2", "c3", "c4", "c5"]


def test_entropies() -> None:
    found = CodeSpec((10,), 1, 1).entropies.tolist()
    assert found == pytest.approx([stats.entropy(np.full(10, 0.1)), math.log(2), stats.norm.entropy()])


def test_log_q_is_scipys() -> None:
    torch.manual_seed(1)
    spec = CodeSpec((4,), 1, 1)
    codes, guess = spec.draw(7).double(), torch.randn(7, spec.guess_width, dtype=torch.float64)
    found = spec.log_q(guess, codes)
    p = torch.softmax(guess[:, :4], 1)
    chosen = codes[:, :4].argmax(1)
    np.testing.assert_allclose(found[:, 0], np.log(p[torch.arange(7), chosen]), rtol=1e-5)
    for column, (at, code) in enumerate(((4, 4), (6, 5)), 1):
        mean, sd = guess[:, at].numpy(), guess[:, at + 1].exp().numpy()
        np.testing.assert_allclose(found[:, column], stats.norm(mean, sd).logpdf(codes[:, code]), rtol=1e-5)


def test_what_a_perfect_an_empty_and_a_constant_guess_are_worth() -> None:
    torch.manual_seed(2)
    spec = CodeSpec((10,), 1)
    codes = spec.draw(200_000)
    guess = torch.zeros(len(codes), spec.guess_width)
    guess[:, 11] = math.log(1 / 3) / 2
    constant = spec.information(guess, codes)
    assert float(spec.information(guess[:500], codes[:500])[0]) == pytest.approx(0, abs=1e-6)
    assert float(constant[1]) == pytest.approx(-0.1764, abs=5e-3)
    guess[:, :10] = 100 * codes[:, :10] - 50
    assert float(spec.information(guess[:500], codes[:500])[0]) == pytest.approx(math.log(10), abs=1e-6)


def test_a_fixed_deviation_is_one_and_a_learned_one_is_bounded() -> None:
    guess = torch.tensor([[0.0, -90.0], [0.0, 90.0]])
    fixed, learned = (CodeSpec((), 1, q_sd=kind) for kind in ("fixed", "learned"))  # type: ignore[arg-type]
    assert fixed.log_sd(guess, fixed.codes[0]).tolist() == [0, 0]
    assert learned.log_sd(guess, learned.codes[0]).tolist() == list(LOG_SD)
    codes = torch.zeros(2, 1)
    assert fixed.log_q(guess, codes).flatten().tolist() == pytest.approx([-0.5 * math.log(2 * math.pi)] * 2)


def test_a_traversal_changes_one_code_alone() -> None:
    torch.manual_seed(3)
    spec = CodeSpec((5,), 2)
    rows = spec.draw(3)
    for code in spec.codes:
        grid = spec.grid(code)
        found = spec.traversal(code, rows, grid).view(3, len(grid), -1)
        others = [i for i in range(spec.width) if not code.slice.start <= i < code.slice.stop]
        assert torch.equal(found[:, :, others], rows[:, None, others].expand(-1, len(grid), -1))
        assert torch.equal(found[1, :, code.slice], grid)
    assert torch.equal(spec.grid(spec.codes[0]), torch.eye(5))
    assert spec.grid(spec.codes[1]).flatten().tolist() == pytest.approx(
        np.linspace(-2, 2, 11).tolist(), abs=1e-6
    )
