"""`run claim` with real runs of a toy: verdicts, what is kept, what is not run again, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from runner import cli
from runner.claim.expect import REPRODUCED
from runner.claim.find import every
from runner.claim.plan import plan_of
from runner.claim.verdict import judged
from runner.compose import Composer
from tests.runner.toys.runs import TOYS

CLAIM: dict[str, Any] = {
    "claim": "More steps fit the points better.",
    "source": "nobody, nowhere",
    "base": ["method=toy_flow", "trainer.eval_every=10", "trainer.log_every=5"],
    "arms": {"long": ["trainer.steps=60"], "short": ["trainer.steps=1"]},
    "metric": "test/nats",
    "expect": [{"form": "direction", "arm": "long", "than": "short", "sign": "less"}],
    "paper": [{"what": "nats", "value": 1.5, "where": "table 9"}],
    "budgets": {"smoke": {"words": ["trainer.steps=2"], "seeds": [1, 2]}},
    "notes": "tuned by nobody",
}


class Place:
    """A folder with claims and what came of them."""

    def __init__(self, home: Path) -> None:
        self.home, self.conf, self.docs = home, home / "conf", home / "docs" / "claims"

    def write(self, name: str, **changes: Any) -> None:
        path = self.conf / "claim" / "toys" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump({**CLAIM, **changes}, sort_keys=False))

    @property
    def words(self) -> list[str]:
        return ["--config-dir", str(self.conf), f"methods.path=[{TOYS}]"]

    def run(self, *words: str) -> int:
        more = ["launcher=local"] if words[0] not in ("list", "report") else []
        places = [f"outputs={self.home / 'out'}"] if more else []
        return cli.main(["claim", *words, *self.words, *places, *more])

    def kept(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.docs / "toys" / f"{name}.json").read_text())
        return found

    def runs(self) -> list[str]:
        return sorted(path.parent.name for path in self.home.glob("out/claims/*/result.json"))

    def begun(self) -> int:
        return (self.home / "out" / "claims" / "ledger.jsonl").read_text().count('"begin"')


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_claim_that_holds(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.write("steps")
    assert place.run("toys/steps") == 0
    out = capsys.readouterr().out
    assert "toys/steps: REPRODUCED" in out
    made = place.kept("steps")
    assert made["verdict"] == "reproduced"
    (finding,) = made["findings"]
    values = {arm: made["arms"][arm]["values"]["test/nats"] for arm in ("long", "short")}
    assert len(values["long"]) == 3
    difference = np.subtract(values["long"], values["short"])
    assert finding["estimate"] == pytest.approx(difference.mean())
    assert finding["low"] < finding["estimate"] < finding["high"] < 0
    results = [json.loads(path.read_text()) for path in place.home.glob("out/claims/*/result.json")]
    assert sorted(r["metrics"]["test/nats"] for r in results) == pytest.approx(
        sorted(values["long"] + values["short"])
    )
    assert made["command"].startswith("run claim toys/steps --budget quick --config-dir ")
    assert made["command"].endswith(f"'methods.path=[{TOYS}]'")
    assert made["paper"] == [{"what": "nats", "value": 1.5, "where": "table 9"}]
    assert (place.docs / "toys" / "steps.png").read_bytes().startswith(b"\x89PNG")


def test_reversed_arms_are_not_reproduced_and_nothing_is_run_twice(place: Place) -> None:
    place.write("steps")
    place.write("reversed", arms={"long": ["trainer.steps=1"], "short": ["trainer.steps=60"]})
    assert place.run("toys/*") == 0
    assert place.kept("steps")["verdict"] == "reproduced"
    assert place.kept("reversed")["verdict"] == "not reproduced"
    assert len(place.runs()) == place.begun() == 6, "the arms are shared"
    assert place.run("toys/*", "--seeds", "1,2,3,4") == 0
    assert place.begun() == 8, "only what the new seed needs"


def test_shuffled_arms_are_not_reproduced(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The labels of the arms, swapped for some seeds in every way: what is left is no effect."""
    seeds = (1, 2, 3, 4)
    place.write("steps", seeds=list(seeds))
    assert place.run("toys/steps") == 0
    composer = Composer([f"methods.path=[{TOYS}]"], [place.conf])
    plan = plan_of(every(composer)["toys/steps"].read("quick"), composer, [])
    assert judged(plan, place.home / "out" / "claims").verdict == REPRODUCED
    for swapped in ((1, 2), (1, 3), (1, 4), (2, 3), (2, 4), (3, 4)):
        needs = dict(plan.needs)
        for seed in swapped:
            needs["long", seed], needs["short", seed] = plan.needs["short", seed], plan.needs["long", seed]
        shuffled = type(plan)(plan.claim, needs)
        assert judged(shuffled, place.home / "out" / "claims").verdict != REPRODUCED


@pytest.mark.parametrize(
    "expect",
    [
        {"form": "direction", "arm": "long", "than": "short", "sign": "less"},
        {"form": "ratio", "arm": "long", "to": "short", "low": 0.9, "high": 1.1},
        {"form": "equal", "arm": "long", "to": "short", "margin": 0.1},
    ],
)
def test_arms_that_are_alike_are_not_reproduced(expect: dict[str, Any], place: Place) -> None:
    """They differ in how often they log, which changes nothing of what is learned."""
    place.write(
        "idle",
        arms={"long": ["trainer.steps=20"], "short": ["trainer.steps=20", "trainer.log_every=7"]},
        expect=[expect],
    )
    assert place.run("toys/idle") == 0
    made = place.kept("idle")
    assert made["findings"][0]["estimate"] == (1 if expect["form"] == "ratio" else 0)
    assert made["verdict"] == "inconclusive"
    assert "do not differ" in made["findings"][0]["how"]


def test_an_exact_claim_names_a_check(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.write(
        "exact",
        base=["method=toy_flow"],
        arms={"check": ["task=check/log_det"]},
        metric="check/log_det_error",
        expect=[{"form": "bound", "arm": "check", "high": 1e-6}],
    )
    assert place.run("toys/exact") == 0
    made = place.kept("exact")
    assert made["verdict"] == "reproduced"
    assert made["findings"][0]["how"] == "all of 3 values"
    assert 0 < made["findings"][0]["estimate"] < 1e-6


def test_values_of_items_count_where_there_are_many(place: Place) -> None:
    place.write(
        "items",
        base=["method=toy_flow"],
        arms={"check": ["task=check/log_det"]},
        metric={"name": "check/log_det_error", "items": True},
        expect=[{"form": "interval", "arm": "check", "high": 1e-6}],
    )
    assert place.run("toys/items") == 0
    made = place.kept("items")
    assert made["verdict"] == "reproduced"
    assert made["findings"][0]["how"] == "bootstrap over 32 items, t over 3 seeds"


def test_a_look_at_another_arms_run(place: Place) -> None:
    place.write(
        "look",
        arms={"trained": ["trainer.steps=10"], "again": {"of": "trained", "words": ["task=evaluate"]}},
        expect=[{"form": "equal", "arm": "again", "to": "trained", "margin": 1e-6}],
    )
    assert place.run("toys/look") == 0
    made = place.kept("look")
    assert made["findings"][0]["estimate"] == 0
    assert made["arms"]["again"]["values"] == made["arms"]["trained"]["values"]
    assert made["arms"]["again"]["of"] == "trained"
    assert place.begun() == 6
    assert place.run("toys/look") == 0
    assert place.begun() == 6


def test_curves_and_sweeps(place: Place) -> None:
    place.write(
        "curves",
        seeds=[1, 2, 3, 4, 5],
        arms={"width": {"words": ["trainer.steps=40"], "sweep": {"trainer.steps": [5, 20, 160]}}},
        expect=[
            {"form": "trend", "arm": "width", "sign": "falling"},
            {"form": "trend", "arm": "width", "sign": "falling", "scale": "log",
             "metric": {"name": "train/loss", "at": 5}},
        ],
    )  # fmt: skip
    assert place.run("toys/curves") == 0
    made = place.kept("curves")
    assert [found["verdict"] for found in made["findings"]] == ["reproduced", "inconclusive"]
    assert made["findings"][1]["estimate"] == 0, "the first five steps are the same"
    assert [round(found["level"], 4) for found in made["findings"]] == [0.975, 0.975]
    assert set(made["arms"]) == {"width@5", "width@20", "width@160"}


def test_a_failed_arm_is_no_verdict(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.write("steps")
    assert place.run("toys/steps") == 0
    broken = {"base": ["method=toy_faulty", "method.at=3", "trainer.steps=9"], "metric": "test/mse"}
    arms = {"a": ["method.fault=raise"], "b": ["method.fault=none"]}
    expect = [{"form": "direction", "arm": "a", "than": "b", "sign": "less"}]
    place.write("broken", **broken, arms=arms, expect=expect)
    place.write("steps", **broken, arms=arms, expect=expect)
    assert place.run("toys/broken") == 1
    made = place.kept("broken")
    assert made["verdict"] == "not run"
    assert "arm a, seed 1: RuntimeError: this was asked for" in made["why"]
    capsys.readouterr()
    assert place.run("toys/steps") == 1
    assert "stays: reproduced" in capsys.readouterr().out
    assert place.kept("steps")["verdict"] == "reproduced", "a failure replaces no verdict"


@pytest.mark.usefixtures("without_cuda")
def test_what_is_missing_is_said(place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place.write("cuda", base=["method=toy_flow", "device=cuda"])
    assert place.run("toys/cuda") == 0
    made = place.kept("cuda")
    assert made["verdict"] == "not run"
    assert "CUDA" in made["why"]


def test_a_claim_that_a_budget_has_no_experiment_for(place: Place) -> None:
    place.write("large", budgets={"quick": {"needs": "a night: --budget full"}})
    assert place.run("toys/large") == 0
    made = place.kept("large")
    assert (made["verdict"], made["why"]) == ("not run", "needs a night: --budget full")
    assert place.runs() == []
    assert place.run("toys/large", "--budget", "full") == 0
    assert place.run("toys/large") == 0
    assert (place.kept("large")["verdict"], place.kept("large")["budget"]) == ("reproduced", "full")


def test_what_never_comes_to_a_level_reproduces_nothing_but_a_distance(place: Place) -> None:
    never = {"name": "train/loss", "reach": -50.0}
    place.write("never", metric=never)
    place.write("same", metric=never, expect=[{"form": "equal", "arm": "long", "to": "short", "margin": 9.0}])
    place.write("within", metric=never, expect=[{"form": "interval", "arm": "long", "high": 60}])
    assert place.run("toys/*") == 0
    for name in ("never", "same", "within"):
        assert place.kept(name)["verdict"] == "inconclusive", name
        assert "never came there" in place.kept(name)["findings"][0]["how"]


def test_one_that_comes_to_a_level_is_before_one_that_never_does(place: Place) -> None:
    """The short run's last step counts as its time, and is the longer one here."""
    arms = {"soon": ["trainer.steps=30"], "never": ["trainer.steps=60", "method.lr=1e-9"]}
    metric = {"name": "validation/nats", "reach": 1.93}
    for name, sign in (("steps", "less"), ("wrong", "greater")):
        expect = [{"form": "direction", "arm": "soon", "than": "never", "sign": sign}]
        place.write(name, arms=arms, metric=metric, expect=expect)
    assert place.run("toys/*") == 0
    assert place.kept("steps")["verdict"] == "reproduced"
    assert place.kept("wrong")["verdict"] == "inconclusive"


def test_arms_that_agree_to_the_last_digit_are_not_called_equal(place: Place) -> None:
    place.write(
        "twins",
        arms={"long": ["trainer.log_every=5"], "short": ["trainer.log_every=7"]},
        base=["method=toy_flow", "trainer.steps=10", "trainer.eval_every=10"],
        expect=[{"form": "equal", "arm": "long", "to": "short", "margin": 1.0}],
    )
    assert place.run("toys/twins") == 0
    assert place.kept("twins")["findings"][0]["estimate"] == 0
    assert place.kept("twins")["verdict"] == "inconclusive"


def test_exchanged_folders_are_noticed(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.write("steps", seeds=[1, 2])
    assert place.run("toys/steps") == 0
    one, two = sorted((place.home / "out" / "claims").glob("toy_flow-*"))[:2]
    one.rename(one.with_name("x"))
    two.rename(one)
    (one.parent / "x").rename(two)
    assert place.run("toys/steps") == 1
    assert "is the folder of another run" in capsys.readouterr().out


def test_what_must_be_alone_is_not_taken_from_what_was_not(place: Place) -> None:
    place.write("steps")
    place.write("timed", alone=True)
    assert place.run("toys/steps") == 0
    assert place.run("toys/timed") == 0
    assert place.begun() == 12


def test_swept_values_that_are_close_stay_apart(place: Place) -> None:
    values = [0.0500001, 0.05000011, 0.05000012]
    place.write(
        "close",
        arms={"rate": {"words": ["trainer.steps=2"], "sweep": {"method.lr": values}}},
        expect=[{"form": "trend", "arm": "rate", "sign": "rising"}],
        seeds=[1, 2],
    )
    assert place.run("toys/close") == 0
    assert len(place.runs()) == 6


def test_hostile_words_stay_words(place: Place) -> None:
    place.write("steps", claim="<script>alert(1)</script> $\\foo$", notes="<img src=x>")
    assert place.run("toys/steps") == 0
    assert place.run("report", "--out", str(place.home / "rep")) == 0
    for name in ("claims.md", "claims.html"):
        page = (place.home / "rep" / name).read_text()
        assert "<script>alert" not in page
        assert "<img src=x>" not in page
    (place.home / "file").touch()
    assert place.run("report", "--out", str(place.home / "file")) == 2


def direction(**changes: Any) -> list[dict[str, Any]]:
    return [{"form": "direction", "arm": "long", "than": "short", "sign": "less", **changes}]


SWEPT = {"width": {"sweep": {"method.width": [4, 8]}}, "short": ["trainer.steps=5"]}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"metric": "test/bits"}, "metric test/bits is none of the method's"),
        ({"metric": {"name": "test/nats", "at": 3, "reach": 1.0}}, "only one of at, reach, area, last"),
        ({"metric": {"name": "test/nats", "area": [9, 3]}}, "area takes two steps"),
        ({"metric": {"nam": "test/nats"}}, "metric.nam is not a key"),
        (
            {
                "arms": {"a": {"sweep": {"method.width": [0, 8]}}},
                "expect": [{"form": "trend", "arm": "a", "sign": "rising", "scale": "log"}],
            },
            "scale log takes swept values above 0",
        ),
        ({"arms": {"long": ["method.lrr=1"], "short": ["trainer.steps=5"]}}, "method.lrr"),
        ({"arms": {"long": ["trainer.steps=5"], "short": ["trainer.steps=5"]}}, "are the same run"),
        ({"arms": {"long": {"sweep": {"method.width": [8, 4]}}, "short": ["trainer.steps=5"]}}, "ascending"),
        ({"arms": {"long": {"of": "short"}, "short": ["trainer.steps=5"]}}, "needs task=NAME"),
        ({"arms": {"long": {"of": "none", "words": []}, "short": []}}, "long.of=none is no arm"),
        ({"arms": {"long": ["seed=3"], "short": []}}, "seed=3 is not a claim's to say"),
        ({"arms": {"long": ["launcher=local"], "short": []}}, "launcher=local is not a claim's to say"),
        ({"base": ["method=toy_flow", "outputs=x"]}, "outputs=x is not a claim's to say"),
        ({"base": ["methods.path=[/tmp]"]}, "methods.path=[/tmp] is not a claim's to say"),
        ({"seeds": [1, 2, 1]}, "seeds lists 1 twice"),
        ({"seeds": []}, "seeds is empty"),
        ({"expect": direction(form="directoin")}, "did you mean direction?"),
        ({"expect": direction(than="shrt")}, "than=shrt is no arm; did you mean short?"),
        ({"expect": direction(than="long")}, "long is compared with itself"),
        ({"expect": direction(sign="lower")}, "expect[0].sign=lower is not one of less, greater"),
        ({"expect": direction(by=-1)}, "out of range"),
        ({"expect": [{"form": "trend", "arm": "long", "sign": "rising"}]}, "takes a swept arm, not long"),
        ({"expect": direction(arm="width"), "arms": SWEPT}, "takes an arm that is not swept"),
        ({"expect": [{"form": "ratio", "arm": "long", "to": "short", "low": 1}],
          "metric": {"name": "test/nats", "items": True}}, "form ratio takes one number for each run"),
        ({"expect": [{"form": "interval", "arm": "long"}]}, "low or high must be given"),
        ({"budgets": {"huge": {}}}, "budgets.huge is no budget"),
        ({"budgets": {"full": {"seeds": [1, 1]}}}, "seeds lists 1 twice"),
        ({"claims": "x"}, "claims is not a key"),
        ({"expect": []}, "must not be empty"),
    ],
)  # fmt: skip
def test_a_wrong_claim_is_one_sentence(
    changes: dict[str, Any], said: str, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.write("wrong", **changes)
    assert place.run("toys/wrong") == 2
    errors = capsys.readouterr().err
    assert said in errors, errors
    assert errors.count("\n") == 1
    assert "conf/claim/toys/wrong.yaml" in errors
    assert not (place.home / "out").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["toys/stepz"], "did you mean toys/steps?"),
        (["nothing/*"], "no claim matches nothing/*"),
        (["toys/steps", "--seeds", "1,1"], "--seeds 1,1: seeds lists 1 twice"),
        (["toys/steps", "--seeds", "x"], "--seeds x"),
        (["toys/steps", "--budget", "huge"], "invalid choice: 'huge'"),
        (["toys/steps", "method.lr=1"], "method.lr=1 is not the command's to say"),
        (["list", "--status", "good"], "--status good"),
        (["list", "nothing"], "no claim matches nothing; known are "),
        (["lst"], "there is no claim lst; did you mean list?"),
        (["toys"], "toys is a paper; all of its claims are 'toys/*'"),
        (["toys/steps", "--seeds", "1,x"], "--seeds 1,x: x is no whole number"),
        (["toys/steps", "--seeds", "1,"], "--seeds 1,: nothing is no whole number"),
        (["toys/steps", "--seeds", "-1"], "--seeds -1: -1 is no whole number"),
        (["toys/steps", "--seeds", "99999999999999999999"], "is no whole number from 0 to 2^63 - 1"),
        (["toys/steps", "device=cuda"], "device=cuda: CUDA is not available here"),
        (["toys/steps", "device=cuda", "--dry-run"], "device=cuda: CUDA is not available here"),
    ],
)
@pytest.mark.usefixtures("without_cuda")
def test_a_wrong_command_is_one_sentence(
    words: list[str], said: str, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.write("steps")
    assert place.run(*words) == 2
    errors = capsys.readouterr().err
    assert said in errors
    assert errors.count("\n") == 1
