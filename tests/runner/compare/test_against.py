"""Final metrics against what was swept: which key it is, which lines there are, and that they are drawn."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from runner import cli
from runner.compare.against import draw_against, swept
from runner.compare.figure import COLOURS
from runner.compare.find import find_runs
from runner.compare.group import Comparison, compare
from runner.compare.load import load_run
from tests.runner.compare.test_figure import amount


def written(write_run: Any, values: dict[tuple[str, Any], list[float]]) -> Comparison:
    """Runs of `(norm, size)`, each with its errors, one for each seed."""
    for (norm, size), errors in values.items():
        for seed, error in enumerate(errors):
            result = write_run.finished(seed, {"test/error": error})
            config = write_run.settings(seed, norm=norm, size=size)
            write_run(f"{norm}-{size}-{seed}", config=config, result=result)
    return compare([load_run(run) for run in find_runs([write_run.parent])])


GRID = {("batch", 2): [0.4, 0.5], ("batch", 8): [0.3], ("batch", 32): [0.2],
        ("group", 32): [0.25], ("group", 2): [0.26], ("group", 8): [0.27]}  # fmt: skip


def test_a_line_for_each_of_what_else_differs(write_run: Any) -> None:
    found = swept(written(write_run, GRID))
    assert found is not None
    assert found.key == "method.size"
    points = {
        name: [(x, pytest.approx(group.summary("test/error").mean)) for x, group in line]  # type: ignore[union-attr]
        for name, line in found.lines.items()
    }
    assert points == {
        "norm=batch": [(2, 0.45), (8, 0.3), (32, 0.2)],
        "norm=group": [(2, 0.26), (8, 0.27), (32, 0.25)],
    }


@pytest.mark.parametrize(
    "values",
    [
        {("batch", 2): [0.4], ("batch", 8): [0.3]},  # two are a comparison
        {("batch", 2): [0.4], ("batch", True): [0.3], ("batch", 8): [0.2]},
        {("a", "x"): [0.4], ("b", "y"): [0.3], ("c", "z"): [0.2]},
        {("a", 1): [0.4], ("b", 2): [0.3], ("c", 3): [0.2]},  # something else differs with it
    ],
)
def test_what_is_no_sweep(values: dict[tuple[str, Any], list[float]], write_run: Any) -> None:
    assert swept(written(write_run, values)) is None


def test_each_line_is_drawn_in_its_colour(write_run: Any) -> None:
    comparison = written(write_run, GRID)
    found = swept(comparison)
    assert found is not None
    drawn = draw_against(found, ["test/error"])
    assert drawn is not None
    image = np.asarray(Image.open(io.BytesIO(drawn)).convert("RGB")).astype(int)
    assert [amount(image, colour) > 300 for colour in COLOURS[:4]] == [True, True, False, False]
    assert draw_against(found, ["test/other"]) is None


def test_the_command_draws_it_and_shows_it_on_the_page(
    write_run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(write_run, GRID)
    out = tmp_path / "out"
    assert cli.main(["compare", str(write_run.parent), "--out", str(out)]) == 0
    assert f"swept    {out / 'against.png'}" in capsys.readouterr().out
    assert "Against what was swept" in (out / "compare.html").read_text()
    one = str(write_run.parent / "batch-2-0")
    assert cli.main(["compare", one, "--out", str(out)]) == 0
    assert not (out / "against.png").exists(), "of an earlier comparison"
    assert "Against what was swept" not in (out / "compare.html").read_text()


def test_what_was_swept_is_not_drawn_twice(
    write_run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(write_run, GRID)
    out, one = tmp_path / "out", str(write_run.parent / "batch-2-0")
    assert cli.main(["compare", one, "--out", str(out)]) == 0
    assert f"picture  {out / 'compare.png'}" in capsys.readouterr().out
    assert cli.main(["compare", str(write_run.parent), "--out", str(out)]) == 0
    assert "compare.png" not in capsys.readouterr().out
    assert not (out / "compare.png").exists(), "of an earlier comparison"
    assert (out / "against.png").is_file()
