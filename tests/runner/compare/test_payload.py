from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner.compare.find import find_runs
from runner.compare.group import compare
from runner.compare.load import load_run
from runner.compare.panels import make_panels
from runner.compare.payload import Steps, embed, make_payload
from runner.compare.pictures import choose_pictures


def payload_of(folder: Path) -> dict[str, Any]:
    comparison = compare([load_run(run) for run in find_runs([folder])])
    found: dict[str, Any] = json.loads(embed(make_payload(make_panels(comparison), comparison, False, False)))
    return found


def test_embedded_json_has_no_letter_that_means_anything_to_html() -> None:
    value = {"<!--<script>": "</script>&\u2028\u2029\x00é"}
    text = embed(value)
    assert not set(text) & set("<>&")
    assert text.isascii()
    assert json.loads(text) == value


def test_a_number_that_is_not_finite_never_reaches_the_page() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        embed([float("nan")])


def test_shared_steps_are_kept_once() -> None:
    steps = Steps()
    assert [
        steps.place(np.array([1.0, 2.5])),
        steps.place(np.array([1.0])),
        steps.place(np.array([1.0, 2.5])),
    ] == [0, 1, 0]
    assert steps.lists == [[1, 2.5], [1]]


def test_the_payload_holds_means_and_single_runs(sweep: Path) -> None:
    payload = payload_of(sweep)
    validation = payload["metrics"][0]
    slow, middle, _ = validation["lines"]
    assert [item["n"] for item in payload["configurations"]] == [1, 3, 3]
    assert payload["steps"][middle["band"]["at"]] == list(range(200, 2001, 200))
    seeds = np.array([seed["values"] for seed in middle["seeds"]])
    np.testing.assert_allclose(middle["band"]["mean"], seeds.mean(0), rtol=1e-5)
    np.testing.assert_allclose(middle["band"]["sd"], seeds.std(0, ddof=1), rtol=1e-2)
    assert [(seed["status"], seed["counted"]) for seed in slow["seeds"]] == [
        ("failed", False),
        ("running or killed", False),
    ]


def test_many_long_curves_share_the_points_there_are(write_run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.compare.payload.MOST_POINTS", 3000)
    for number in range(10):
        rows = [{"stage": "s", "step": step, "x": step % 97.5} for step in range(2000)]
        write_run(f"r{number}", config={"width": number, "seed": 1}, rows=rows)
    lines = payload_of(write_run.parent)["metrics"][0]["lines"]
    assert (
        sum(len(line["band"]["mean"]) + sum(len(seed["values"]) for seed in line["seeds"]) for line in lines)
        <= 3000
    )
    assert all(max(line["band"]["mean"]) == 97.0 for line in lines)


def test_pictures_share_the_bytes_there_are(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    comparison = compare([load_run(run) for run in find_runs([sweep])])
    sizes = [path.stat().st_size for path in sorted(sweep.glob("*seed=1/figures/*2000.png"))]
    for limit, chosen in ((sum(sizes), 3), (sum(sizes) - 1, 2), (min(sizes) - 1, 0)):
        monkeypatch.setattr("runner.compare.pictures.MOST_BYTES", limit)
        pictures, left_out = choose_pictures(comparison)
        assert (len(pictures), left_out) == (chosen, 3 - chosen)


def test_what_only_calls_itself_a_picture_is_left_out(sweep: Path) -> None:
    for path in sweep.glob("*/figures/*.png"):
        path.write_text("<svg onload=alert(1)>")
    assert choose_pictures(compare([load_run(run) for run in find_runs([sweep])])) == ([], 3)
