"""InfoGAN as the command runs it."""

from __future__ import annotations

import json
import math
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from methods import infogan
from runner import cli

QUICK = (
    "dataset.limit=96", "dataset.batch_size=16", "method.width=0.1", "method.looked_at=64",
    "method.judge_steps=4", "method.curve_every=2", "trainer.steps=4", "trainer.log_every=2", "threads=1",
)  # fmt: skip


def done(outputs: Path, *words: str) -> tuple[Path, dict[str, float]]:
    assert cli.main([*words, f"outputs={outputs}"]) == 0
    (place,) = outputs.glob("*/*")
    return place, json.loads((place / "result.json").read_text())["metrics"]


@pytest.mark.parametrize("name", ["infogan", "gan"])
def test_what_is_reported_and_drawn(name: str, tmp_path: Path) -> None:
    words = (f"method={name}", *QUICK, "method.categorical=[4,3]", "method.uniform=2", "method.gaussian=1")
    place, found = done(tmp_path / "a", *words)
    assert [n for n in found if not any(fnmatchcase(n, p) for p in infogan.METRICS)] == []
    assert found["test/mi_disc"] == pytest.approx(found["test/mi_c1"] + found["test/mi_c2"], abs=1e-6)
    assert found["test/mi_disc"] <= math.log(12)
    assert {
        "test/accuracy_1to1",
        "test/accuracy_1to1_c2",
        "test/rank_true_width",
        "test/modes",
    } <= found.keys()
    assert found["test/accuracy_1to1"] <= found["test/accuracy_majority"] + 0.1
    names = {path.stem for path in (place / "figures").glob("*.png")}
    assert {*(f"traversal_c{k}" for k in range(1, 6)), "information", "confusion", "neighbours"} <= names
    again = done(tmp_path / "b", "task=evaluate", f"checkpoint={place}")[1]
    assert again == {k: v for k, v in found.items() if k in again}
    assert "test/accuracy_1to1" in again


@pytest.mark.parametrize("check", ["channels", "symmetric", "entropy"])
def test_checks(check: str, tmp_path: Path) -> None:
    found = done(tmp_path, "method=infogan", f"task=check/{check}", "threads=1")[1]
    if check == "channels":
        for kind in ("discrete", "gaussian"):
            assert found[f"check/{kind}_before"] < found[f"check/{kind}_after"]
            assert abs(found[f"check/{kind}_after"]) < 0.02
    else:
        assert max(map(abs, found.values())) < (1e-12 if check == "symmetric" else 5e-3)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["method.categorical=[]", "method.uniform=0"], "there is no code at all"),
        (["method.categorical=[1]"], "method.categorical"),
        (["method.betas=[0.5]"], "method.betas has 1 values; Adam has two"),
        (["dataset=digits", "method.network=svhn"], "takes sides that divide by 16, and digits has 8 pixels"),
        (["method=gan", "method.lambda_disc=1"], "lambda_disc"),
        (["dataset=glyphs"], "images"),
    ],
)
def test_bad_input_is_a_sentence(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["method=infogan", "trainer.steps=2", *words, f"outputs={tmp_path}"]) == 2
    errors = capsys.readouterr().err
    assert said in errors, errors
    assert errors.count("\n") == 1
