"""`run claim`: re-tests claims, lists them, and makes a page of all verdicts."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from runner.claim.find import Found, chosen
from runner.claim.plan import Need, Plan, plan_of
from runner.claim.settings import BUDGETS, Claim, refuse_seeds
from runner.cli import quoted
from runner.compose import Composer
from runner.errors import ConfigError, os_sentence
from runner.sweep.command import how_words
from runner.sweep.conduct import Conduct

HELP = """\
run claim NAME|GLOB... [--budget smoke|quick|full] [--seeds 1,2,3] [--dry-run] [--out DIR] [key=value ...]
run claim list [GLOB...] [--status STATUS] [--out DIR]
run claim report [--out DIR] [--pages DIR]

Runs what a claim compares, and says whether it holds: reproduced, not reproduced, inconclusive or not run.
What was run already with the same settings, data, code and versions is not run again. The verdict is kept in
docs/claims/<paper>/<name>.json and .png; smoke only tries the plumbing, and nothing of it is kept. In lists
it is out of date where the claim was changed since.

  run claim list
  run claim 'realnvp/*' --budget quick
  run claim realnvp/affine --dry-run

--budget    smoke (seconds), quick (the default; minutes) or full (the paper's scale)
--seeds     other seeds than the claim's
--dry-run   says what would run, and how long it took before
--out       where verdicts are kept instead of docs/claims; list and report read them there
--pages     where the pages are written: by default beside the verdicts, for the project's own in docs
--config-dir DIR   claims of your own, DIR/claim/<paper>/<name>.yaml; for list and report, too. Their verdicts
                   are kept in DIR/../docs/claims

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
    return retest(asked_of(words))


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
    given: list[str]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"run claim: {message}; see run claim --help")


def asked_of(words: Sequence[str]) -> Asked:
    """What the words of a command ask for; raises `ConfigError`."""
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
    seeds, given = _seeds(found.seeds), ["run", "claim", *words]
    return Asked(patterns, found.budget, seeds, found.dry_run, found.out, found.config_dir, settings, given)


def _seeds(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    for part in parts:
        if not (part.isascii() and part.isdigit()) or int(part) >= 2**63:
            raise ConfigError(f"--seeds {text}: {part or 'nothing'} is no whole number from 0 to 2^63 - 1")
    seeds = tuple(map(int, parts))
    try:
        refuse_seeds(seeds)
    except ValueError as error:
        raise ConfigError(f"--seeds {text}: {error}") from None
    return seeds


def retest(asked: Asked) -> int:
    """Runs the claims that were asked for and prints their verdicts; returns the exit code."""
    composer = Composer(asked.words, asked.config_dirs)
    how_said = how_words(composer.words)
    own = [word for word in composer.words if word not in how_said]
    found = chosen(asked.patterns, composer, asked.out)
    plans = [plan_of(_with_seeds(one.read(asked.budget), asked.seeds), composer, own) for one in found]
    probe = composer.compose([*own, *how_said])
    home = Path(probe.root.outputs).expanduser() / "claims"
    needs = _needs(plans)
    how = Conduct.of(probe.how, how_said, next(iter(needs)).composed.root, len(needs))
    from runner.claim.runs import lacking, run_needs

    lacks = {plan.claim.name: plan.claim.lacks or lacking(plan.needs.values(), how) for plan in plans}
    everywhere = _every(lacks) or ""
    if everywhere.startswith("device=") and any(word.startswith("device=") for word in own):
        raise ConfigError(everywhere)  # the command's own fault, and not a claim's
    if asked.dry:
        from runner.claim.table import dry_run

        return dry_run(plans, found, home, asked.budget, lacks)
    if asked.out is not None:
        from runner.claim.report import make_folder

        make_folder(asked.out)
    home.mkdir(parents=True, exist_ok=True)
    whole = [plan for plan in plans if lacks[plan.claim.name] is None]
    stopped = run_needs(home, _needs(whole), composer, how)
    if stopped is not None:
        print(f"stopped; what is done is kept, and this goes on: {shlex.join(asked.given)}", flush=True)
        return 128 + stopped
    return conclude(list(zip(plans, found, strict=True)), asked, home, lacks)


def _with_seeds(claim: Claim, seeds: tuple[int, ...] | None) -> Claim:
    return claim if seeds is None else replace(claim, seeds=seeds)


def _every(lacks: Mapping[str, str | None]) -> str | None:
    """What all of the claims lack; None if there is one that lacks nothing."""
    return None if None in lacks.values() else next(iter(lacks.values()))


def _needs(plans: Sequence[Plan]) -> list[Need]:
    """The runs of all claims, each once; alone if one of the claims wants it so."""
    found: dict[str, Need] = {}
    for need in [need for plan in plans for need in plan.needs.values()]:
        if need.name not in found or need.alone:
            found[need.name] = need
    return list(found.values())


def conclude(
    claims: Sequence[tuple[Plan, Found]],
    asked: Asked,
    home: Path,
    lacks: Mapping[str, str | None] = {},
) -> int:
    """Judges, keeps and prints; returns 0, or 1 where an arm failed to run or a verdict cannot be kept."""
    from runner.claim.record import record
    from runner.claim.table import said
    from runner.claim.verdict import judged

    failed = False
    for plan, found in claims:
        result = judged(plan, home, lacks.get(plan.claim.name))
        failed |= result.failed
        made = record(result, asked.budget, _command(found, asked), home)
        print(f"\n{said(made)}")
        if asked.budget == "smoke":
            print("  at smoke: it tries the plumbing, says nothing of the claim, and is not kept")
        else:
            failed |= not _kept(made, found)
    sys.stdout.flush()
    return int(failed)


def _kept(made: dict[str, Any], found: Found) -> bool:
    """Keeps a verdict and its picture, and says so; returns whether it could.

    One that cannot be kept or drawn takes no other verdict with it.
    """
    from runner.claim.picture import draw
    from runner.claim.record import keep

    try:
        why = keep(found, made)
    except OSError as error:
        print(f"  not kept: {os_sentence(error)}")
        return False
    if why is not None:
        print(f"  {why}")
        return True
    print(f"  kept: {found.json}")
    if (made["git"] or {}).get("dirty"):
        print(f"  made with changes that are in no commit, after {str(made['git']['commit'])[:12]}")
    try:
        draw(made, found.png)
    except (ValueError, OverflowError) as error:
        found.png.unlink(missing_ok=True)
        print(f"  no picture: {' '.join(str(error).split())}")
    except OSError as error:
        print(f"  no picture: {os_sentence(error)}")
        return False
    return True


def _command(found: Found, asked: Asked) -> str:
    """The command that repeats a verdict, without what concerns one machine."""
    seeds = [] if asked.seeds is None else ["--seeds", ",".join(map(str, asked.seeds))]
    kept = [word for word in asked.words if word.startswith(("device=", "precision=", "methods.path="))]
    own = [place for place in asked.config_dirs if found.path.is_relative_to(place.absolute())]
    dirs = [word for place in own for word in ("--config-dir", str(place))]
    return shlex.join(["run", "claim", found.name, "--budget", asked.budget, *seeds, *dirs, *kept])
