"""The JSON file that a verdict is kept in, which is committed, so that it outlives the runs."""

from __future__ import annotations

import json
import platform
import time
from dataclasses import asdict
from pathlib import Path
from types import NoneType
from typing import Any

from runner import atomic, folder
from runner.claim.find import Found
from runner.claim.plan import Need
from runner.claim.settings import BUDGETS
from runner.claim.shape import NUMBER, fits
from runner.claim.verdict import NOT_RUN, Judged, as_json
from runner.cores import cores
from runner.errors import ConfigError
from runner.sweep.command import PLACES

NO_ARMS = ("seed=", *PLACES)
"""Words that are no part of an arm: its seeds stand elsewhere, and places concern one machine."""

VERDICTS = ("reproduced", "not reproduced", "inconclusive", NOT_RUN)


RECORD: dict[str, Any] = {
    "name": str, "claim": str, "source": str, "why": str, "asked": str, "command": str, "date": str,
    "verdict": VERDICTS, "budget": BUDGETS, "seconds": NUMBER, "notes": (str, NoneType), "seeds": [int],
    "findings": [{
        "form": str, "metric": str, "what": str, "wanted": str, "how": str, "verdict": VERDICTS,
        "level": NUMBER, "estimate": (*NUMBER, NoneType), "low": (*NUMBER, NoneType),
        "high": (*NUMBER, NoneType),
    }],
    "arms": {"*": {"words": [str], "of": (str, NoneType), "values": {"*": [NUMBER]}, "runs": {"*": str}}},
    "paper": [{"what": str, "value": (*NUMBER, str), "where": str}],
    "versions": {"*": str}, "machine": {}, "git": (dict, NoneType),
}  # fmt: skip
"""What a verdict's file holds, as `fits` takes it."""


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
            machine = {"device": result.get("device"), "threads": result.get("threads")}
            return {"git": result.get("git"), "machine": {**machine, "cpu": _processor(), "cores": cores()}}
    return {"git": folder.git_state(), "machine": {}}


def _processor() -> str:
    """The processor's name, as far as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def keep(found: Found, new: dict[str, Any]) -> str | None:
    """Writes a claim's verdict to its file; returns why not, where a better one is there.

    Of the claim as it is now, a verdict of a larger budget stays, and one of more seeds from the same code
    and data; and any verdict stays where the claim could not be run now. What is damaged is set aside.
    """
    path = found.json
    try:
        old = read(path) if path.is_file() else None
    except ConfigError:
        path.rename(path.with_name(f"{path.name}.damaged"))
        old = None
    if old is not None and (why := _stays(old, new, found)) is not None:
        return why
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_json(path, new)
    return None


def _stays(old: dict[str, Any], new: dict[str, Any], found: Found) -> str | None:
    """Why an old verdict is worth more than a new one; None where it is not."""
    if old["verdict"] == NOT_RUN:
        return None
    if new["verdict"] == NOT_RUN:
        return f"the verdict of {old['date']} stays: {old['verdict']}"
    larger = BUDGETS.index(old["budget"]) - BUDGETS.index(new["budget"])
    if larger < 0 or old["asked"] != found.read(old["budget"]).asked:
        return None
    if larger > 0:
        return f"the verdict of budget {old['budget']} stays: {old['verdict']}"
    if set(old["seeds"]) > set(new["seeds"]) and _runs(new) <= _runs(old):
        return f"the verdict over {len(old['seeds'])} seeds stays: {old['verdict']}"
    return None


def _runs(made: dict[str, Any]) -> set[str]:
    """The runs that a verdict rests on, each known by its settings, data, code and versions."""
    return {run for arm in made["arms"].values() for run in arm["runs"].values()}


def read(path: Path) -> dict[str, Any]:
    """A verdict that was kept; raises `ConfigError` if the file is damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        fits(found, RECORD, "it")
        json.dumps(found, ensure_ascii=False).encode()  # raises for half a character
        return dict(found)
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is damaged: {' '.join(str(error).split())}") from error
