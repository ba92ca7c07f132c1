from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner.compare.history import read_history
from runner.compare.load import UNFINISHED, load_run


def test_a_finished_run_is_read_with_dotted_keys_and_the_names_of_its_choices(write_run: Any) -> None:
    result = write_run.finished(3, {"test/bits_per_dim": 2.5, "test/none": None}, overrides=["seed=3"])
    run = load_run(write_run("a", config=write_run.settings(3), result=result))
    assert run.config is not None
    assert run.config["method.lr"] == 0.001
    assert "choices.method" not in run.config
    assert run.choices == {"method": "realnvp", "dataset": "digits"}
    assert (run.status, run.seed, run.steps, run.seconds) == ("completed", 3, 2000, 81.5)
    assert run.metrics == {"test/bits_per_dim": 2.5}
    assert run.overrides == ["seed=3"]


def test_an_unfinished_run_shows_its_last_values_and_steps(write_run: Any) -> None:
    rows = [
        {"stage": "train", "step": 10, "train/loss": 3.0},
        {"stage": "train", "step": 20, "train/loss": None, "validation/loss": 2.5},
        {"stage": "train", "step": 30, "train/loss": 2.0},
    ]
    run = load_run(write_run("a", config=write_run.settings(7), rows=rows, tail='{"stage": "train", "st'))
    assert run.status == UNFINISHED
    assert run.seed == 7
    assert run.steps == 30
    assert run.metrics == {"train/loss": 2.0, "validation/loss": 2.5}
    assert run.warnings == []


def test_overrides_of_an_unfinished_run_come_from_hydras_record(write_run: Any) -> None:
    folder = write_run("a", config={}, rows=[])
    (folder / ".hydra").mkdir()
    (folder / ".hydra" / "overrides.yaml").write_text("- method.lr=0.1\n- seed=2\n")
    assert load_run(folder).overrides == ["method.lr=0.1", "seed=2"]


def test_a_broken_line_before_the_last_is_left_out_with_a_warning(write_run: Any) -> None:
    folder = write_run(
        "a", rows=[{"stage": "s", "step": 1, "x": 1.0}], tail='{"st\n{"stage":"s","step":2,"x":2}\n{"s'
    )
    run = load_run(folder)
    steps, values = read_history(run)["s", "x"]
    assert (steps.tolist(), values.tolist()) == ([1, 2], [1, 2])
    assert [warning.split(": ")[1] for warning in run.warnings] == ["1 unreadable lines left out"]


@pytest.mark.parametrize("content", ["{", "[1]", "\x00\x00", '{"status": '])
def test_an_unreadable_result_is_no_reason_to_stop(write_run: Any, content: str) -> None:
    folder = write_run("a", config={"seed": 1}, rows=[{"stage": "s", "step": 4, "x": 1.0}])
    (folder / "result.json").write_text(content)
    assert load_run(folder).steps == 4


def test_an_unreadable_configuration_is_a_warning(write_run: Any) -> None:
    folder = write_run("a", rows=[])
    (folder / "config.yaml").write_text("a: [1,\n!!python/object/apply:os.system ['false']")
    run = load_run(folder)
    assert run.config is None
    assert "config.yaml cannot be read" in run.warnings[0]


def test_a_configuration_cannot_run_code(write_run: Any, tmp_path: Path) -> None:
    folder = write_run("a", rows=[])
    (folder / "config.yaml").write_text(f"a: !!python/object/apply:os.mkdir ['{tmp_path}/made']")
    assert load_run(folder).config is None
    assert not (tmp_path / "made").exists()


def test_history_equals_a_plain_reading_line_by_line(write_run: Any) -> None:
    rows = write_run.curve(1, 0.001, last=40_000, every=10)  # several chunks, two shapes of line
    rows[5]["train/bits_per_dim"] = None
    rows[6]["train/bits_per_dim"] = "text"
    run = load_run(write_run("a", rows=rows, tail='{"stage'))
    for name in ("train/bits_per_dim", "train/grad_norm", "validation/bits_per_dim"):
        plain = [(row["step"], row[name]) for row in rows if isinstance(row.get(name), float)]
        steps, values = read_history(run)["train", name]
        np.testing.assert_array_equal(np.stack([steps, values], axis=1), np.array(plain))


def test_lines_without_a_usable_number_make_no_curve(write_run: Any) -> None:
    folder = write_run("a", rows=[])
    lines = [
        '{"step": "x", "a": [1]}',
        '{"step": 1, "a": [1]}',
        '{"step": 1, "a": {}}',
        '{"step": 1, "a": 1' + 400 * "0" + "}",
        '{"step": 2, "b": 3}',
    ]
    (folder / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    assert {key: value[1].tolist() for key, value in read_history(load_run(folder)).items()} == {
        ("", "b"): [3]
    }


def test_stages_and_infinite_values_are_kept_apart_and_out(write_run: Any) -> None:
    folder = write_run("a", rows=[])
    lines = [
        '{"stage":"a","step":1,"x":1}',
        '{"stage":"b","step":1,"x":2}',
        '{"stage":"b","step":2,"x":Infinity}',
    ]
    (folder / "metrics.jsonl").write_text(
        "\n".join([*lines, '{"stage":"b","step":3,"x":NaN}', json.dumps([1])]) + "\n"
    )
    history = read_history(load_run(folder))
    assert {key: values.tolist() for key, (_, values) in history.items()} == {
        ("a", "x"): [1],
        ("b", "x"): [2],
    }
