"""What is kept of verdicts, listed and said beforehand; damage and broken files change none of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.runner.claim.test_command import Place, place

__all__ = ["place"]


def test_what_cannot_be_kept_takes_no_other_verdict_with_it(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b", "c"):
        place.write(name)
    (place.docs / "toys" / "a.json").mkdir(parents=True)
    (place.docs / "toys" / "b.png").mkdir()
    assert place.run("toys/*") == 1
    out = capsys.readouterr().out
    assert "not kept: Is a directory" in out
    assert "no picture: Is a directory" in out
    assert place.kept("b")["verdict"] == place.kept("c")["verdict"] == "reproduced"


def test_names_with_a_dot_are_kept_apart(place: Place) -> None:
    place.write("net.1")
    place.write("net.2", expect=[{"form": "direction", "arm": "long", "than": "short", "sign": "greater"}])
    assert place.run("toys/net.*") == 0
    assert [place.kept(name)["verdict"] for name in ("net.1", "net.2")] == ["reproduced", "not reproduced"]
    assert (place.docs / "toys" / "net.1.png").is_file()


def test_a_broken_file_is_no_trouble_to_others(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.write("steps")
    for name, text in (("broken", "claim: ["), ("merged", "<<: {claim: x}"), ("half", 'claim: "\\ud800"')):
        (place.conf / "claim" / "toys" / f"{name}.yaml").write_text(text)
    place.write("a[1]")
    place.write(".#steps")
    assert place.run("list", "toys") == 2
    said = capsys.readouterr()
    assert said.out == "toys/steps\n"
    assert said.err.count("error: ") == 4
    assert "<< merges mappings, which a claim cannot do" in said.err
    assert "a claim's and a paper's name have letters, digits, _, . and -" in said.err
    assert place.run("report", "--pages", str(place.home / "pages")) == 2
    assert "toys/steps" in (place.home / "pages" / "claims.md").read_text()
    assert place.run("toys/steps", "--dry-run") == 0


def test_verdicts_kept_elsewhere_are_listed_there(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.write("steps")
    out = ["--out", str(place.home / "mine")]
    assert place.run("toys/steps", *out) == 0
    assert not place.docs.exists()
    capsys.readouterr()
    assert place.run("list", "toys", "--status", "reproduced", *out) == 0
    assert capsys.readouterr().out == "toys/steps\n"
    assert place.run("report", *out) == 0
    assert "reproduced" in (place.home / "mine" / "claims.md").read_text()
    assert place.run("report") == 0, "of claims of one's own the pages lie beside them, not in the project"
    assert (place.home / "docs" / "claims.md").is_file()


def test_more_seeds_of_other_code_are_replaced(place: Place) -> None:
    place.write("steps")
    assert place.run("toys/steps") == 0
    path = place.docs / "toys" / "steps.json"
    made = json.loads(path.read_text())
    made["arms"]["long"]["runs"]["1"] = "0" * 16
    path.write_text(json.dumps(made))
    assert place.run("toys/steps", "--seeds", "1,2") == 0
    assert place.kept("steps")["seeds"] == [1, 2]


@pytest.mark.usefixtures("without_cuda")
def test_a_dry_run_says_what_is_shared_and_what_is_lacking(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.write("a", seeds=[1])
    place.write("b", seeds=[1, 2])
    place.write("c", seeds=[1], base=["method=toy_flow", "device=cuda"])
    assert place.run("toys/*", "--dry-run") == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if not line.startswith("  ")]
    assert lines == [
        "toys/a: 2 of 2 runs to do, never timed",
        "toys/b: 2 of 4 runs to do, 2 more with toys/a, never timed",
        "toys/c: not run: device=cuda: CUDA is not available here; device=cpu or device=auto runs without",
        "in all 4 runs, of a time that is not known",
    ]


def test_smoke_keeps_nothing(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.write("steps", arms={"long": ["method.width=8"], "short": ["method.width=4"]})
    assert place.run("toys/steps", "--budget", "smoke") == 0
    out = capsys.readouterr().out
    assert "toys/steps: " in out
    assert "at smoke: it tries the plumbing" in out
    assert not place.docs.exists()
    assert len(place.runs()) == 4


def test_a_small_budget_does_not_replace_a_large_one(place: Place) -> None:
    place.write(
        "steps", budgets={"full": {"words": ["method.lr=0.02"]}, "quick": {"words": ["method.lr=0.03"]}}
    )
    assert place.run("toys/steps", "--budget", "full") == 0
    assert place.run("toys/steps", "--budget", "quick") == 0
    assert place.kept("steps")["budget"] == "full"


def test_a_dry_run_runs_nothing(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.write("steps")
    assert place.run("toys/steps", "--dry-run") == 0
    out = capsys.readouterr().out
    assert "toys/steps: 6 of 6 runs to do, never timed" in out
    assert out.count("toy_flow-toy_points-") == 6
    assert not place.runs()
    assert place.run("toys/steps") == 0
    kept = place.kept("steps")
    (place.docs / "toys" / "steps.json").write_text(json.dumps({**kept, "seconds": 60.0}))
    place.write("steps", seeds=[3, 4, 5, 6])
    capsys.readouterr()
    assert place.run("toys/steps", "--dry-run") == 0
    assert "6 of 8 runs to do, about 60 s" in capsys.readouterr().out


def test_a_verdict_of_another_claim_is_out_of_date(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.write("steps")
    assert place.run("toys/steps") == 0
    place.write("steps", notes="other words beside it", seeds=[1, 3])
    assert place.run("list", "toys", "--status", "reproduced") == 0
    place.write("steps", seeds=[1, 2, 3, 4])
    assert place.run("list", "toys", "--status", "out of date") == 0
    place.write("steps", arms={"long": ["trainer.steps=1"], "short": ["trainer.steps=60"]})
    assert place.run("list", "toys", "--status", "out of date") == 0
    assert capsys.readouterr().out.count("toys/steps\n") == 3
    assert place.run("report", "--pages", str(place.home / "rep")) == 0
    page = (place.home / "rep" / "claims.md").read_text()
    assert "**out of date**; what it said before, reproduced, was of another version" in page


def test_fewer_seeds_do_not_replace_more(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.write("steps")
    assert place.run("toys/steps") == 0
    assert place.run("toys/steps", "--seeds", "1") == 0
    assert "the verdict over 3 seeds stays: reproduced" in capsys.readouterr().out
    assert place.kept("steps")["seeds"] == [1, 2, 3]


def test_a_damaged_verdict_is_set_aside(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.write("steps")
    assert place.run("toys/steps") == 0
    kept = place.docs / "toys" / "steps.json"
    kept.write_text('{"verdict": "reproduced", "budget": "quick"}')
    assert place.run("list", "toys", "--status", "no verdict") == 0
    said = capsys.readouterr()
    assert "steps.json is damaged: it has no" in said.err
    assert "toys/steps" in said.out
    assert place.run("report", "--out", str(place.home / "rep")) == 0
    assert place.run("toys/steps", "--dry-run") == 0
    assert place.run("toys/steps") == 0
    assert place.kept("steps")["verdict"] == "reproduced"
    assert kept.with_suffix(".json.damaged").is_file()


def test_the_list_has_one_name_a_line_and_is_filtered(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.write("steps")
    place.write("other")
    assert place.run("toys/steps") == 0
    capsys.readouterr()
    assert place.run("list", "toys") == 0
    assert capsys.readouterr().out == "toys/other\ntoys/steps\n"
    assert place.run("list", "toys", "--status", "reproduced") == 0
    assert capsys.readouterr().out == "toys/steps\n"
    assert place.run("list", "toys/o*", "--status", "no verdict") == 0
    assert capsys.readouterr().out == "toys/other\n"


def test_a_damaged_verdict_is_one_sentence(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.write("steps")
    (place.docs / "toys").mkdir(parents=True)
    path = place.docs / "toys" / "steps.json"
    assert place.run("toys/steps") == 0
    made = json.loads(path.read_text())
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"arms": {}}, ""),
        ({"verdict": "great"}, "it.verdict is great"),
        ({"budget": 3}, "it.budget is 3"),
        ({"seeds": ["1"]}, "it.seeds[] is 1"),
        ({"seeds": 1}, "it.seeds is no list"),
        ({"seconds": "long"}, "it.seconds is long"),
        ({"findings": [{}]}, "it.findings[] has no form"),
        ({"findings": [{**made["findings"][0], "low": 1e999}]}, "it.findings[].low is inf"),
        ({"findings": [{**made["findings"][0], "low": True}]}, "it.findings[].low is True"),
        ({"arms": {"long": 3}}, "it.arms.long is no mapping"),
        ({"paper": [{"what": "x"}]}, "it.paper[] has no value"),
        ({"notes": "\ud800"}, "surrogates not allowed"),
        ({"machine": []}, "it.machine is no mapping"),
    ]
    place.write("other")
    for change, text in wrong:
        capsys.readouterr()
        path.write_text(json.dumps({**made, **change}))
        assert place.run("list", "toys") == 0
        said = capsys.readouterr()
        assert said.out == "toys/other\ntoys/steps\n"
        assert text in said.err
        assert said.err.count("\n") == bool(text)
    assert place.run("report", "--pages", str(place.home / "pages")) == 0
    assert place.run("toys/steps", "--dry-run") == 0
    assert place.run("toys/steps") == 0
    assert place.kept("steps")["verdict"] == "reproduced"
    assert path.with_name("steps.json.damaged").is_file()
