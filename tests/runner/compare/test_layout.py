from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runner.compare.group import Summary
from runner.compare.layout import Column, cut, display_width, lay_out, lay_out_values
from runner.compare.words import show_mean, show_summary

words = st.text(st.characters(categories=["L", "N", "P", "Mn"]), max_size=60)


def test_a_table_is_aligned() -> None:
    columns = [Column("name", ["a", "bb"]), Column("value", ["1.5", "22.25"], right=True)]
    assert lay_out(columns, 80) == ["name  value", "----  -----", "a       1.5", "bb    22.25"]


def test_a_table_too_wide_goes_on_below_with_its_names_repeated() -> None:
    columns = [Column("name", ["a"]), *(Column(f"metric_number_{i}", [str(i)]) for i in range(3))]
    lines = lay_out(columns, 40)
    assert [line.split() for line in lines if line.startswith(("name", "a "))] == [
        ["name", "metric_number_0", "metric_number_1"],
        ["a", "0", "1"],
        ["name", "metric_number_2"],
        ["a", "2"],
    ]


@given(st.lists(st.lists(words, min_size=2, max_size=2), min_size=1, max_size=6), st.integers(24, 160))
def test_no_line_is_wider_than_the_terminal(cells: list[list[str]], width: int) -> None:
    lines = lay_out([Column(head, [cell, cell]) for head, cell in cells], width)
    assert all(display_width(line) <= width for line in lines)
    rows = lay_out_values({"key": {head: [cell] for head, cell in cells}}, width)
    assert all(display_width(line) <= width for line in rows)


@given(words, st.integers(2, 70))
def test_a_cut_text_fits_and_an_uncut_one_is_whole(text: str, width: int) -> None:
    found = cut(text, width)
    assert display_width(found) <= width
    assert (found == text) == (display_width(text) <= width)


def test_wide_letters_take_two_columns() -> None:
    assert display_width("学習率") == 6
    assert display_width("e\u0301") == 1


def test_mean_and_deviation_end_at_the_same_decimal() -> None:
    assert show_mean(1.98234, 0.01234) == "1.982 ± 0.012"
    assert show_mean(123456.7, 2345.6) == "123457 ± 2346"
    assert show_mean(0.5, 0.0) == "0.5 ± 0"
    assert show_mean(1.2349e-7, 1.1e-8) == "1.235e-07 ± 1.1e-08"


def test_a_summary_says_of_how_many_runs_it_is() -> None:
    assert show_summary(Summary(2.0, None, 1, 1, [2.0], False)) == "2"
    assert show_summary(Summary(2.0, None, 1, 3, [2.0], False)) == "2 (1)"
    assert show_summary(Summary(2.0, 0.5, 2, 3, [1.5, 2.5], True)) == "2.00 ± 0.50 (2)*"
    assert show_summary(None) == "-"
