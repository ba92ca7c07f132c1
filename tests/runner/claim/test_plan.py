"""Which runs a claim needs, and how they are known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runner.claim.command import _needs
from runner.claim.plan import Plan, plan_of
from runner.claim.settings import claim_of
from runner.compose import Composer
from tests.runner.claim.test_command import CLAIM
from tests.runner.toys.runs import TOYS


def plan(budget: str = "quick", words: tuple[str, ...] = (), **changes: Any) -> Plan:
    claim = claim_of({**CLAIM, **changes}, "toys/x", "x.yaml", budget)
    return plan_of(claim, Composer([f"methods.path=[{TOYS}]"]), words)


def test_a_budgets_words_come_before_an_arms_own() -> None:
    level = {"quick": {"words": ["trainer.steps=7", "method.lr=0.5"]}}
    needs = plan(budgets=level, arms={"long": ["trainer.steps=9"], "short": []}, seeds=[5]).needs
    steps = {arm: need.composed.config["trainer"]["steps"] for (arm, _), need in needs.items()}
    assert steps == {"long": 9, "short": 7}
    assert {need.composed.config["method"]["lr"] for need in needs.values()} == {0.5}
    assert {need.composed.root.seed for need in needs.values()} == {5}


def test_a_run_is_known_by_what_it_computes() -> None:
    one, again = plan().needs, plan(claim="Other words.", notes="x").needs
    assert {key: need.id for key, need in one.items()} == {key: need.id for key, need in again.items()}
    assert len({need.id for need in one.values()}) == 6
    other = plan(base=["method=toy_flow", "method.lr=0.02"]).needs
    assert not {need.id for need in one.values()} & {need.id for need in other.values()}


def test_a_look_is_known_by_the_run_it_looks_at() -> None:
    arms = {"long": ["trainer.steps=9"], "short": {"of": "long", "words": ["task=evaluate"]}}
    first = plan(arms=arms).needs["short", 1]
    longer = plan(arms={**arms, "long": ["trainer.steps=10"]}).needs["short", 1]
    assert first.parent is not None
    assert first.id != longer.id
    assert first.id not in (first.parent.id, plan(arms=arms).needs["short", 2].id)


def test_one_thread_unless_it_is_said_otherwise() -> None:
    assert plan().needs["long", 1].composed.root.threads == 1
    assert plan(base=["method=toy_flow", "threads=2"]).needs["long", 1].composed.root.threads == 2


def test_a_swept_arm_has_whole_numbers_where_they_are() -> None:
    arms = {"wide": {"sweep": {"method.width": [4, 8, 100000]}}, "short": []}
    expect = [{"form": "trend", "arm": "wide", "sign": "rising"}]
    needs = plan(arms=arms, expect=expect, seeds=[1]).needs
    widths = {arm: need.composed.config["method"]["width"] for (arm, _), need in needs.items()}
    assert widths == {"wide@4": 4, "wide@8": 8, "wide@100000": 100000, "short": 16}


def test_what_is_timed_is_alone_and_what_it_needs_is_not() -> None:
    arms = {
        "trained": [],
        "long": {"of": "trained", "words": ["task=evaluate"]},
        "short": ["trainer.steps=5"],
    }
    timed, other = plan(arms=arms, alone=True, seeds=[1]), plan(arms=arms, seeds=[1])
    assert {arm: need.alone for (arm, _), need in timed.needs.items()} == {
        "trained": False, "long": True, "short": True,
    }  # fmt: skip
    for both in ([timed, other], [other, timed]):
        # What was not alone does not count as alone; the run that is only looked at is shared.
        assert sorted(need.alone for need in _needs(both)) == [False, False, False, True, True]


@pytest.mark.parametrize("budget", ["smoke", "quick", "full"])
def test_every_claim_of_the_project_can_be_planned(budget: str) -> None:
    from runner.claim.find import every

    composer = Composer([])
    for found in every(composer).values():
        claim = found.read(budget)
        assert len(claim.seeds) >= (2 if budget == "smoke" else 3)
        assert plan_of(replace(claim, seeds=claim.seeds[:1]), composer, []).needs
