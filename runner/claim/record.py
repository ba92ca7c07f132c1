"""The JSON file that a verdict is kept in, which is committed, so that it outlives the runs."""

from __future__ import annotations

import json
import platform
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from runner import atomic, folder
from runner.claim.plan import Need
from runner.claim.settings import BUDGETS
from runner.claim.verdict import NOT_RUN, Judged, as_json
from runner.errors import ConfigError
from runner.sweep.command import PLACES

NO_ARMS = ("seed=", *PLACES)
"""Words that are no part of an arm: its seeds stand elsewhere, and places concern one machine."""

KEYS = (
    "seeds",
    "findings",
    "arms",
    "paper",
    "notes",
    "command",
    "seconds",
    "date",
    "versions",
    "machine",
    "git",
)
"""What a verdict's file holds besides claim, verdict and budget."""


def record(judged: Judged, budget: str, command: str, home: Path) -> dict[str, Any]:
    """What is kept of a verdict."""
    claim, needs = judged.plan.claim, judged.plan.needs
    return {
        "name": claim.name,
        "claim": claim.claim,
        "source": claim.source,
        "verdict": judged.verdict,
        "why": judged.why,
        "budget": budget,
        "asked": claim.asked,
        "seeds": list(claim.seeds),
        "findings": [
            {"form": expectation.form, "metric": measure.said, **as_json(finding)}
            for expectation, measure, finding in zip(
                claim.expectations, claim.measures, judged.findings, strict=False
            )
        ],
        "arms": {arm: _arm(arm, judged) for arm in dict.fromkeys(label for label, _ in needs)},
        "paper": [asdict(one) for one in claim.paper],
        "notes": claim.notes,
        "command": command,
        "seconds": round(judged.seconds, 1),
        "date": time.strftime("%Y-%m-%d"),
        "versions": folder.versions(),
        **_circumstances(judged, home),
    }


def _arm(arm: str, judged: Judged) -> dict[str, Any]:
    needs = {seed: need for (label, seed), need in judged.plan.needs.items() if label == arm}
    first = next(iter(needs.values()))
    words = [word for word in first.words if not word.startswith(NO_ARMS)]
    return {
        "words": words,
        "of": _of(first, judged),
        "values": dict(judged.values.get(arm, {})),
        "runs": {str(seed): need.id for seed, need in needs.items()},
    }


def _of(need: Need, judged: Judged) -> str | None:
    names = {one.id: label for (label, _), one in judged.plan.needs.items()}
    return None if need.parent is None else names[need.parent.id]


def _circumstances(judged: Judged, home: Path) -> dict[str, Any]:
    """Where and with which code the runs took place, as the first of them says."""
    for need in judged.plan.needs.values():
        result = folder.read_result(home / need.name) if (home / need.name).is_dir() else None
        if result is not None:
            machine = {"device": result["device"], "threads": result["threads"], "cpu": platform.machine()}
            return {"git": result.get("git"), "machine": machine}
    return {"git": folder.git_state(), "machine": {}}


def keep(path: Path, new: dict[str, Any]) -> str | None:
    """Writes a verdict to `path`; returns why not, where a better one is there.

    Of the same claim a verdict of a larger budget stays, and of more seeds, and any verdict stays where the
    claim could not be run now. What is damaged is set aside.
    """
    try:
        old = read(path) if path.is_file() else None
    except ConfigError:
        path.rename(path.with_suffix(".json.damaged"))
        old = None
    same = old is not None and old.get("asked", new["asked"]) == new["asked"]
    if old is not None and old["verdict"] != NOT_RUN and (same or new["verdict"] == NOT_RUN):
        if new["verdict"] == NOT_RUN:
            return f"the verdict of {old['date']} stays: {old['verdict']}"
        if BUDGETS.index(old["budget"]) > BUDGETS.index(new["budget"]):
            return f"the verdict of budget {old['budget']} stays: {old['verdict']}"
        if old["budget"] == new["budget"] and len(old["seeds"]) > len(new["seeds"]):
            return f"the verdict over {len(old['seeds'])} seeds stays: {old['verdict']}"
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_json(path, new)
    return None


def read(path: Path) -> dict[str, Any]:
    """A verdict that was kept; raises `ConfigError` if the file is damaged."""
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if found["verdict"] not in ("reproduced", "not reproduced", "inconclusive", NOT_RUN):
            raise ValueError(f"there is no verdict {found['verdict']}")
        if found["budget"] not in BUDGETS:
            raise ValueError(f"there is no budget {found['budget']}")
        if missing := [key for key in KEYS if key not in found]:
            raise ValueError(f"it has no {missing[0]}")
        return found
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ConfigError(f"{path} is damaged: {' '.join(str(error).split())}") from error
