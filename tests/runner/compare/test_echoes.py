"""What another metric says already is shown only where it is asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from runner import cli
from runner.compare.figure import draw_panel
from runner.compare.find import find_runs
from runner.compare.group import compare
from runner.compare.load import load_run
from runner.compare.panels import make_panels
from runner.compare.payload import make_payload
from tests.runner.compare.test_curves import panels_of

TOLD = ["accuracy", "cut_low", "loss"]


def measured(split: str, accuracy: float, error: float | None = None) -> dict[str, float]:
    """What a classifier measures; `cut_low` is no end of an interval, since there is no `cut`."""
    error = 1 - accuracy if error is None else error
    names = {"accuracy": accuracy, "error": error}
    ends = {f"{n}_{end}": v + by for n, v in names.items() for end, by in (("low", -0.1), ("high", 0.2))}
    return {f"{split}/{name}": v for name, v in {**names, **ends, "cut_low": 0.5, "loss": accuracy}.items()}


def write(write_run: Any, seeds: int = 1, error: float | None = None) -> Path:
    for seed in range(seeds):
        rows = [{"stage": "s", "step": step, **measured("validation", step / 100)} for step in (10, 20)]
        result = write_run.finished(seed, measured("test", 0.625, error))
        write_run(f"r{seed}", config=write_run.settings(seed), rows=rows, result=result)
    folder: Path = write_run.parent
    return folder


def heads(text: str) -> list[str]:
    """Names of the metrics in a printed table."""
    return [word for word in text.splitlines()[0].split() if "/" in word]


def test_ends_of_intervals_and_mirror_images_are_no_columns_and_no_panels(
    write_run: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    folder = write(write_run)
    assert list(panels_of(folder)) == [f"validation/{name}" for name in TOLD]
    assert cli.main(["compare", str(folder), "--out", str(tmp_path / "out")]) == 0
    assert heads(capsys.readouterr().out) == [f"test/{name}" for name in TOLD]
    page = (tmp_path / "out" / "compare.html").read_text()
    assert "test/accuracy" in page
    assert "test/accuracy_low" not in page
    assert "test/error" not in page
    numbers = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert numbers["runs"][0]["metrics"].keys() == measured("test", 0.5).keys()


def test_what_is_asked_for_is_shown(
    write_run: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    folder = write(write_run)
    assert cli.main(["compare", str(folder), "--table", "--metrics", "test/*rror*"]) == 0
    assert heads(capsys.readouterr().out) == ["test/error", "test/error_low", "test/error_high"]
    assert "validation/error_low" in panels_of(folder, "validation/*")


def test_an_error_that_is_no_mirror_image_stays(
    write_run: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    assert cli.main(["compare", str(write(write_run, error=0.375 + 2e-6)), "--table"]) == 0
    assert heads(capsys.readouterr().out) == ["test/accuracy", "test/cut_low", "test/error", "test/loss"]


def test_an_error_of_runs_without_accuracy_stays(write_run: Any) -> None:
    folder = write(write_run)
    rows = [{"stage": "s", "step": step, "validation/error": 0.5} for step in (10, 20)]
    write_run("other", config=write_run.settings(1, kind="other"), rows=rows)
    assert "validation/error" in panels_of(folder)


def test_the_interval_of_a_single_run_is_its_band(write_run: Any) -> None:
    comparison = compare([load_run(run) for run in find_runs([write(write_run)])])
    panel = make_panels(comparison)[0]
    axes = Figure().subplots()
    draw_panel(axes, panel, log=False, log_x=False)
    band = np.asarray(axes.collections[0].get_paths()[0].vertices)
    for step, accuracy in ((10, 0.1), (20, 0.2)):
        ends = sorted(set(np.round(band[band[:, 0] == step, 1], 9)))
        assert ends == pytest.approx([accuracy - 0.1, accuracy + 0.2])
    drawn = make_payload([panel], comparison, False, False)["metrics"][0]["lines"][0]["band"]
    assert drawn["ends"] == [[0, 0.1], [0.3, 0.4]]


def test_the_band_of_several_runs_is_their_deviation(write_run: Any) -> None:
    band = panels_of(write(write_run, seeds=2))["validation/accuracy"].lines[0].band
    assert band is not None
    assert band.ends is None
    assert band.sd is not None
