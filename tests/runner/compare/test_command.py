from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest

from runner.compare import main
from runner.compare.group import compare
from runner.compare.layout import display_width
from runner.compare.load import load_run
from runner.compare.panels import make_panels
from runner.errors import ConfigError


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")


def finals(sweep: Path, rate: str) -> list[float]:
    results = [
        json.loads((sweep / f"method.lr={rate},seed={seed}/result.json").read_text()) for seed in (1, 2, 3)
    ]
    return [result["metrics"]["test/bits_per_dim"] for result in results]


def test_the_table_has_a_row_per_configuration(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(sweep), "--table", "--metrics", "test/b*"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["name", "method.lr", "status", "steps", "test/bits_per_dim"]
    values = finals(sweep, "0.001")
    row = next(line for line in lines if line.startswith("lr=0.001 "))
    assert f"{fmean(values):.3f} ± {stdev(values):.3f} (3)" in row
    assert row.split()[2:5] == ["3", "completed", "2000"]
    assert "1 completed, 1 failed, 1 running or killed" in lines[2]
    assert "    loss became NaN at step 621; the first bad tensor is couplings.3.scale" in lines


def test_the_table_alone_writes_nothing_and_draws_nothing(sweep: Path) -> None:
    code = (
        "import sys; from runner.compare import main; main(sys.argv[1:]);"
        "loaded = {'torch', 'matplotlib', 'numpy'} & set(sys.modules); sys.exit(str(loaded) if loaded else 0)"
    )
    before = sorted(Path.cwd().rglob("*"))
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code, str(sweep), "--table"],
        env={"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(Path.cwd().rglob("*")) == before


def test_everything_needs_no_torch(sweep: Path) -> None:
    code = "import sys; from runner.compare import main; main(sys.argv[1:]); sys.exit('torch' in sys.modules)"
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code, str(sweep)], env={"PYTHONPATH": str(root)}, capture_output=True
    )
    assert done.returncode == 0


@pytest.mark.parametrize("width", [24, 40, 80, 200])
@pytest.mark.parametrize("options", [[], ["--per-run"]])
def test_the_table_fits_the_terminal(
    sweep: Path,
    options: list[str],
    width: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    main([str(sweep), "--table", *options])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(display_width, lines)) <= width


def test_one_row_per_run_with_its_seed(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([str(sweep), "--table", "--per-run", "--metrics", "*bits_per_dim"])
    text = capsys.readouterr().out
    assert text.count("method.lr=0.0003,seed=2 ") == 2  # in two blocks
    row = next(line for line in text.splitlines() if line.startswith("method.lr=0.0001,seed=3 "))
    assert row.split()[1:] == ["0.0001", "3", "running", "or", "killed", "1380", "-"]
    assert "* latest values of runs that are not completed" in text


def test_json_has_every_run_and_every_mean(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([str(sweep), "--json"])
    found = json.loads(capsys.readouterr().out)
    last = found["configurations"][2]
    values = finals(sweep, "0.001")
    assert last["config"] == {"method.lr": 0.001}
    assert last["metrics"]["test/bits_per_dim"]["mean"] == pytest.approx(fmean(values))
    assert last["metrics"]["test/bits_per_dim"]["sd"] == pytest.approx(stdev(values))
    assert [run["status"] for run in found["runs"]][:3] == ["completed", "failed", "running or killed"]
    assert [run["counted"] for run in found["runs"]] == [True, False, False, *[True] * 6]
    assert found["differences"] == {
        "method.lr": {rate: [f"lr={rate}"] for rate in ("0.0001", "0.0003", "0.001")}
    }


def test_csv_has_full_numbers(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([str(sweep), "--csv"])
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["method.lr"] for row in rows] == ["0.0001", "0.0003", "0.001"]
    assert float(rows[1]["test/bits_per_dim mean"]) == fmean(finals(sweep, "0.0003"))
    assert (rows[0]["runs"], rows[0]["completed"], rows[0]["test/bits_per_dim sd"]) == ("3", "1", "")
    assert [row["test/bits_per_dim n"] for row in rows] == ["1", "3", "3"]
    main([str(sweep), "--csv", "--per-run"])
    assert len(list(csv.DictReader(io.StringIO(capsys.readouterr().out)))) == 9


FILES = ["against.png", "compare.html", "compare.json", "compare.png"]
"""Of runs whose rate was swept."""


def test_the_files_are_written_and_named(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([str(sweep)])
    (folder,) = Path("outputs/compare").iterdir()
    assert sorted(file.name for file in folder.iterdir()) == FILES
    text = capsys.readouterr().out
    assert f"page     {folder}/compare.html" in text
    assert "compared 9 runs in 3 configurations" in text
    main([str(sweep)])
    assert len(list(Path("outputs/compare").iterdir())) == 2


def test_out_may_be_used_again(sweep: Path) -> None:
    main([str(sweep), "--table", "--out", "a/b"])
    main([str(sweep), "--json", "--out", "a/b"])
    assert sorted(file.name for file in Path("a/b").iterdir()) == FILES


def test_curves_that_are_no_final_metrics_can_be_chosen(
    write_run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    final = write_run.finished(1, {"test/bits_per_dim": 2.0})
    folder = write_run("a", config=write_run.settings(1), rows=write_run.curve(1, 0.001), result=final)
    assert main([str(folder), "--metrics", "train/bits_per_dim", "--out", str(tmp_path / "o")]) == 0
    assert "test/bits_per_dim" in capsys.readouterr().out  # the table falls back to what is final
    assert "train/bits_per_dim" in (tmp_path / "o" / "compare.html").read_text()


def test_an_unwritable_place_is_a_sentence(sweep: Path) -> None:
    Path("file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written to file"):
        main([str(sweep), "--out", "file"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "needs the folder of a run"),
        (["--tabel", "x"], "unrecognized arguments: --tabel"),
        (["SWEEP", "--metrics", "test/bits_per_dm"], "did you mean test/bits_per_dim"),
        (["SWEEP", "--json", "--csv"], "not allowed with"),
        (["nowhere"], "there is no folder nowhere"),
    ],
)
def test_wrong_input_is_one_sentence(sweep: Path, arguments: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        main([str(sweep) if word == "SWEEP" else word for word in arguments])
    assert "\n" not in str(caught.value)


def test_help_needs_no_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "DIR" in capsys.readouterr().out


def test_one_run_is_compared_with_nothing(write_run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_run("only", config=write_run.settings(1), rows=write_run.curve(1, 0.001))
    assert main([str(folder)]) == 0
    text = capsys.readouterr().out
    assert text.splitlines()[2].startswith("realnvp-digits  running or killed   2000")
    assert "configuration differences" not in text


def test_a_run_that_logged_nothing_still_has_all_three_files(write_run: Any, tmp_path: Path) -> None:
    failed = write_run.finished(1, {}, status="failed", error="data is missing", steps=0)
    main([str(write_run("a", config=write_run.settings(1), result=failed)), "--out", "o"])
    assert len(list((tmp_path / "o").iterdir())) == 3


def test_curves_come_before_points(write_run: Any) -> None:
    rows = [{"stage": "fit", "step": step, "train/loss": 1 / step} for step in (10, 20, 30)]
    rows.append({"stage": "fit", "step": 30, "validation/error": 0.5})
    result = write_run.finished(1, {"validation/error": 0.5, "test/error": 0.25}, steps=30)
    run = load_run(write_run("short", config=write_run.settings(1), rows=rows, result=result))
    titles = [panel.title for panel in make_panels(compare([run]))]
    assert titles == ["train/loss", "validation/error", "test/error"]


def test_looks_at_finished_runs_are_left_out_unless_named(
    write_run: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run("train", config=write_run.settings(1), result=write_run.finished(1, {"test/error": 0.25}))
    look = write_run.settings(1) | {"task": "evaluate", "checkpoint": "train"}
    folder = write_run("look", config=look, result=write_run.finished(1, {"test/error": 0.75}))
    assert main([str(folder.parent), "--table"]) == 0
    shown = capsys.readouterr()
    assert "0.75" not in shown.out
    assert shown.err == "left out: 1 of a task other than train; name their own folders to see them\n"
    for words in ([str(folder)], [str(folder.parent), str(folder)]):
        assert main([*words, "--table"]) == 0
        shown = capsys.readouterr()
        assert "0.75" in shown.out
        assert shown.err == ""


def test_a_long_error_is_shown_whole(write_run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    words = [f"word{i}" for i in range(40)]
    failed = write_run.finished(1, {}, status="failed", error=" ".join(words), steps=0)
    main([str(write_run("a", config=write_run.settings(1), result=failed)), "--table"])
    shown = capsys.readouterr().out
    assert shown.split()[-40:] == words
    assert max(map(len, shown.splitlines())) <= 100


def test_a_terminal_without_these_letters_gets_others(sweep: Path) -> None:
    code = "import sys; from runner.compare import main; main(sys.argv[1:])"
    variables = {"PYTHONPATH": str(Path(__file__).parents[3]), "PYTHONIOENCODING": "ascii", "COLUMNS": "100"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(sweep), "--table"], env=variables, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    assert b" +- 0.0" in done.stdout
