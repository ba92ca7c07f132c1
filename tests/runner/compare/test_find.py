from __future__ import annotations

from pathlib import Path

import pytest

from runner.compare.find import find_runs
from runner.errors import ConfigError


def test_every_job_of_a_sweep_is_found_in_the_order_of_its_numbers(sweep: Path) -> None:
    names = [run.name for run in find_runs([sweep.parent.parent])]
    rates = ("0.0001", "0.0003", "0.001")
    assert names == [f"method.lr={rate},seed={seed}" for rate in rates for seed in (1, 2, 3)]


def test_the_same_folder_under_two_names_is_one_run(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(sweep)
    job = next(sweep.iterdir())
    assert len(find_runs([job, job.name, f"./{job.name}/"])) == 1
    assert len(find_runs([sweep, job])) == 9


def test_what_lies_in_a_runs_folder_is_no_run(tmp_path: Path) -> None:
    run = tmp_path / "run"
    for folder in (run, run / "stage", run / "checkpoints"):
        folder.mkdir()
        (folder / "metrics.jsonl").write_text("")
    assert find_runs([tmp_path]) == [run]


def test_a_summary_above_runs_is_no_run(sweep: Path) -> None:
    (sweep / "result.json").write_text("{}")
    assert len(find_runs([sweep])) == 9


def test_a_result_alone_counts_where_there_is_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text("{}")
    assert find_runs([tmp_path]) == [tmp_path]


def test_a_wrong_name_is_answered_with_the_nearest(sweep: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no folder .*sweps.*did you mean sweeps"):
        find_runs([sweep.parent.parent / "sweps"])


def test_a_folder_without_runs_is_named_with_what_was_looked_for(sweep: Path) -> None:
    empty = sweep.parent / "2026-01-02_03-04-05-ab13"
    empty.mkdir()
    with pytest.raises(ConfigError, match=r"ab13 holds no run: no metrics\.jsonl.*did you mean .*ab12"):
        find_runs([empty])


def test_a_file_is_no_folder(sweep: Path) -> None:
    with pytest.raises(ConfigError, match="is a file"):
        find_runs([next(sweep.iterdir()) / "config.yaml"])
