"""`run claim`: re-tests claims, lists them, and makes a page of all verdicts."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from runner.claim.find import Found, chosen
from runner.claim.plan import Need, Plan, plan_of
from runner.claim.settings import BUDGETS, refuse_seeds
from runner.cli import quoted
from runner.compose import Composer
from runner.errors import ConfigError
from runner.sweep.command import how_words
from runner.sweep.conduct import Conduct

HELP = """\
run claim NAME|GLOB... [--budget smoke|quick|full] [--seeds 1,2,3] [--dry-run] [--out DIR] [key=value ...]
run claim list [GLOB...] [--status STATUS]
run claim report [--out DIR]

Runs what a claim compares, and says whether it holds: reproduced, not reproduced, inconclusive or not run.
What was run already with the same settings, data, code and versions is not run again. The verdict is kept in
docs/claims/<paper>/<name>.json and .png; smoke only tries the plumbing, and nothing of it is kept.

  run claim list
  run claim 'realnvp/*' --budget quick
  run claim realnvp/affine --dry-run

--budget    smoke (seconds), quick (the default; minutes) or full (the paper's scale)
--seeds     other seeds than the claim's
--dry-run   says what would run, and how long it took before
--out       where verdicts are kept instead of docs/claims
--config-dir DIR   claims of your own, DIR/claim/<paper>/<name>.yaml; for list and report, too

device=, precision=, data.*, outputs= and methods.path= count for all runs; launcher=, launcher.* and sweep.*
say how they are run. The exit code is 0 for any verdict, 1 where a run failed, 2 for wrong input.
"""
FOR_ALL = ("device=", "precision=", "data.", "methods.path=", "outputs=")


def main(words: list[str]) -> int:
    """The verb; returns the exit code."""
    if not words or "-h" in words or "--help" in words:
        print(HELP, end="")
        return 0 if words else 2
    if words[0] == "list":
        from runner.claim.table import list_claims

        return list_claims(words[1:])
    if words[0] == "report":
        from runner.claim.report import report

        return report(words[1:])
    return retest(_asked(words))


@dataclass(frozen=True)
class Asked:
    """What the command asks for."""

    patterns: list[str]
    budget: str
    seeds: tuple[int, ...] | None
    dry: bool
    out: Path | None
    config_dirs: list[Path]
    words: list[str]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"run claim: {message}; see run claim --help")


def _asked(words: Sequence[str]) -> Asked:
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--budget", choices=BUDGETS, default="quick")
    parser.add_argument("--seeds")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--config-dir", type=Path, action="append", default=[])
    found = parser.parse_intermixed_args(list(words))
    settings = [quoted(word) for word in found.words if "=" in word]
    patterns = [word for word in found.words if "=" not in word]
    if not patterns:
        raise ConfigError("run claim: no claim is named; run claim list shows them")
    for word in settings:
        if not word.startswith(FOR_ALL) and not how_words([word]):
            raise ConfigError(f"{word} is not the command's to say of a claim; see run claim --help")
    return Asked(
        patterns, found.budget, _seeds(found.seeds), found.dry_run, found.out, found.config_dir, settings
    )


def _seeds(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        seeds = tuple(int(part) for part in text.split(","))
        refuse_seeds(seeds)
    except ValueError as error:
        raise ConfigError(f"--seeds {text}: {error}") from None
    return seeds


def retest(asked: Asked) -> int:
    """Runs the claims that were asked for and prints their verdicts; returns the exit code."""
    composer = Composer(asked.words, asked.config_dirs)
    how_said = how_words(composer.words)
    own = [word for word in composer.words if word not in how_said]
    found = [_kept_in(asked.out, one) for one in chosen(asked.patterns, composer)]
    plans = []
    for one in found:
        claim = one.read(asked.budget)
        plans.append(
            plan_of(claim if asked.seeds is None else replace(claim, seeds=asked.seeds), composer, own)
        )
    probe = composer.compose([*own, *how_said])
    home = Path(probe.root.outputs).expanduser() / "claims"
    needs = _needs(plans)
    if asked.dry:
        from runner.claim.table import dry_run

        return dry_run(plans, found, home, asked.budget)
    if asked.out is not None:
        from runner.claim.report import make_folder

        make_folder(asked.out)
    home.mkdir(parents=True, exist_ok=True)
    how = Conduct.of(probe.how, how_said, next(iter(needs)).composed.root, len(needs))
    from runner.claim.runs import run_needs

    stopped = run_needs(home, needs, composer, how)
    if stopped is not None:
        print(f"stopped; what is done is kept: run claim {' '.join(asked.patterns)} goes on", flush=True)
        return 128 + stopped
    return conclude(list(zip(plans, found, strict=True)), asked, home)


def _kept_in(out: Path | None, found: Found) -> Found:
    return found if out is None else replace(found, docs=out / found.name)


def _needs(plans: Sequence[Plan]) -> list[Need]:
    """The runs of all claims, each once; alone if one of the claims wants it so."""
    found: dict[str, Need] = {}
    for need in [need for plan in plans for need in plan.needs.values()]:
        if need.name not in found or need.alone:
            found[need.name] = need
    return list(found.values())


def conclude(claims: Sequence[tuple[Plan, Found]], asked: Asked, home: Path) -> int:
    """Judges, keeps and prints; returns 0, or 1 where an arm failed to run."""
    from runner.claim.record import keep, record
    from runner.claim.table import said
    from runner.claim.verdict import judged

    failed = False
    for plan, found in claims:
        result = judged(plan, home)
        failed |= result.failed
        made = record(result, asked.budget, _command(plan, asked), home)
        print(f"\n{said(made)}")
        if asked.budget == "smoke":
            continue
        kept = keep(found.docs.with_suffix(".json"), made)
        if kept is None:
            print(f"  kept: {found.docs.with_suffix('.json')}")
            _draw(made, found.docs.with_suffix(".png"))
        else:
            print(f"  {kept}")
    sys.stdout.flush()
    return int(failed)


def _draw(made: dict[str, Any], path: Path) -> None:
    """Draws the picture of a verdict; one that cannot be drawn takes no other verdict with it."""
    from runner.claim.picture import draw

    try:
        draw(made, path)
    except (ValueError, OverflowError) as error:
        path.unlink(missing_ok=True)
        print(f"  no picture: {' '.join(str(error).split())}")


def _command(plan: Plan, asked: Asked) -> str:
    seeds = [] if asked.seeds is None else ["--seeds", ",".join(map(str, asked.seeds))]
    kept = [word for word in asked.words if word.startswith(("device=", "precision=", "methods.path="))]
    dirs = [word for place in asked.config_dirs for word in ("--config-dir", str(place))]
    return shlex.join(["run", "claim", plan.claim.name, "--budget", asked.budget, *seeds, *dirs, *kept])
