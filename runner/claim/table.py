"""What a person reads of claims in a shell: a verdict, the list of all, and what would be run."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NoReturn

from runner.claim.find import Found, every
from runner.claim.plan import Plan
from runner.claim.record import read
from runner.claim.runs import missing
from runner.claim.verdict import NOT_RUN
from runner.compose import Composer
from runner.engine.progress import duration
from runner.errors import ConfigError, nearest

OUT_OF_DATE = "out of date"
STATUSES = ("reproduced", "not reproduced", "inconclusive", "not run", OUT_OF_DATE, "none")
"""`none`: it was never run here."""


def said(made: Mapping[str, Any]) -> str:
    """A verdict in a few lines."""
    lines = [f"{made['name']}: {made['verdict'].upper()}"]
    lines += textwrap.wrap(made["claim"], 96, initial_indent="  ", subsequent_indent="  ")
    lines += [f"  {finding_line(one)}" for one in made["findings"]]
    if made["why"]:
        lines.append(f"  {made['why']}")
    return "\n".join(lines)


def finding_line(found: Mapping[str, Any]) -> str:
    """A finding in one line: what, the estimate with its interval, what was wanted."""
    estimate, low, high = (number(found[name]) for name in ("estimate", "low", "high"))
    level = f"{100 * found['level']:.4g} % interval" if found["level"] < 1 else "range"
    return (
        f"{found['metric']}: {found['what']} = {estimate} ({level} {low} to {high}, {found['how']}); "
        f"wanted {found['wanted']}: {found['verdict']}"
    )


def number(value: float | None) -> str:
    """A number in four digits; `?` for an end that is not known."""
    return "?" if value is None else f"{value:.4g}"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"run claim list: {message}; see run claim --help")


def list_claims(words: Sequence[str]) -> int:
    """`run claim list`; where its output is not a terminal, one name a line and nothing else."""
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--status")
    parser.add_argument("--config-dir", type=Path, action="append", default=[])
    options = parser.parse_intermixed_args(list(words))
    if options.status is not None and options.status not in STATUSES:
        raise ConfigError(
            f"--status {options.status}: there is no such status{nearest(options.status, STATUSES)}"
        )
    composer = Composer([word for word in options.words if "=" in word], options.config_dir)
    globs = [_glob(word) for word in options.words if "=" not in word] or ["*"]
    known = every(composer)
    for glob in globs:
        if not any(fnmatchcase(name, glob) for name in known):
            raise ConfigError(f"no claim matches {glob}{nearest(glob, known)}")
    for name, found in known.items():
        status = status_of(found)
        if any(fnmatchcase(name, glob) for glob in globs) and options.status in (None, status):
            line = f"{name:<34} {status:<15} {found.read('quick').claim}" if sys.stdout.isatty() else name
            print(line)
    return 0


def _glob(word: str) -> str:
    """A paper's name alone stands for all of its claims."""
    return word if "/" in word or "*" in word else f"{word}/*"


def status_of(found: Found) -> str:
    """The verdict that is kept; `none` where there is none that can be read, and `out of date` where it is
    one of another claim."""
    path = found.docs.with_suffix(".json")
    try:
        kept = read(path) if path.is_file() else None
    except ConfigError as error:
        print(error, file=sys.stderr)
        return "none"
    if kept is None:
        return "none"
    return OUT_OF_DATE if is_stale(kept, found) else str(kept["verdict"])


def is_stale(kept: Mapping[str, Any], found: Found) -> bool:
    """Whether the claim was changed since this verdict on it."""
    return kept.get("asked") != found.read(kept["budget"]).asked


def dry_run(plans: Sequence[Plan], found: Sequence[Found], home: Path, budget: str) -> int:
    """Says what would be run, and how long it took the last time."""
    seen: set[str] = set()
    total, unknown = 0.0, 0
    for plan, file in zip(plans, found, strict=True):
        own = {need.name: need for need in plan.needs.values()}
        left = [need for need in missing(home, own.values()) if need.name not in seen]
        seen |= {need.name for need in left}
        each = _seconds_each(file, budget)
        known = each * len(left) if each is not None else None
        total, unknown = total + (known or 0.0), unknown + (known is None and bool(left))
        took = "" if not left else ", never timed" if known is None else f", about {duration(known)}"
        print(f"{plan.claim.name}: {len(left)} of {len(own)} runs to do{took}")
        for need in left:
            print(f"  {need.name}  {need.label}")
    more = f", and {unknown} claims that were never timed" if unknown else ""
    print(f"in all {len(seen)} runs, about {duration(total)} of one core{more}")
    return 0


def _seconds_each(found: Found, budget: str) -> float | None:
    """What one of the claim's runs took when its verdict was made, if that was at the same budget."""
    path = found.docs.with_suffix(".json")
    try:
        kept = read(path)
    except ConfigError:
        return None
    if kept["budget"] != budget or kept["verdict"] == NOT_RUN:
        return None
    return float(kept["seconds"]) / sum(len(arm["runs"]) for arm in kept["arms"].values())
