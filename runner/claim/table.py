"""What a person reads of claims in a shell: a verdict, the list of all, and what would be run."""

from __future__ import annotations

import argparse
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NoReturn

from runner.claim.find import Found, every
from runner.claim.plan import Plan
from runner.claim.record import VERDICTS, read
from runner.claim.runs import missing
from runner.claim.verdict import NOT_RUN
from runner.compose import Composer
from runner.engine.progress import duration
from runner.errors import ConfigError, nearest

OUT_OF_DATE = "out of date"
"""Of a verdict on another version of the claim."""

NONE = "no verdict"
"""Of a claim that was never run."""

STATUSES = (*VERDICTS, OUT_OF_DATE, NONE)


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
    return (
        f"{found['metric']}: {found['what']} = {number(found['estimate'])} ({ends(found)}, {found['how']}); "
        f"wanted {found['wanted']}: {found['verdict']}"
    )


def ends(found: Mapping[str, Any]) -> str:
    """Where a finding's truth lies: an interval with its level, the range of exact values, or neither."""
    if found["low"] is None or found["high"] is None:
        return "no interval"
    kind = f"{100 * found['level']:.4g} % interval" if found["level"] < 1 else "range"
    return f"{kind} {number(found['low'])} to {number(found['high'])}"


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
    parser.add_argument("--out", type=Path)
    parser.add_argument("--config-dir", type=Path, action="append", default=[])
    options = parser.parse_intermixed_args(list(words))
    if options.status is not None and options.status not in STATUSES:
        raise ConfigError(
            f"--status {options.status}: there is no such status{nearest(options.status, STATUSES)}"
        )
    composer = Composer([word for word in options.words if "=" in word], options.config_dir)
    globs = [_glob(word) for word in options.words if "=" not in word] or ["*"]
    known = every(composer, options.out)
    for glob in globs:
        if not any(fnmatchcase(name, glob) for name in known):
            shown = glob.removesuffix("/*")
            papers = {name.partition("/")[0] for name in known}
            raise ConfigError(f"no claim matches {shown}{nearest(shown, papers)}")
    wrong = False
    for name, found in known.items():
        if not any(fnmatchcase(name, glob) for glob in globs):
            continue
        try:
            status, claim = status_of(found), found.read("quick").claim
        except ConfigError as error:  # which the other claims cannot help
            print(f"error: {error}", file=sys.stderr)
            wrong = True
            continue
        if options.status in (None, status):
            print(_line(name, status, claim) if sys.stdout.isatty() else name)
    return 2 if wrong else 0


def _line(name: str, status: str, claim: str) -> str:
    """A line of the list, as wide as the terminal."""
    width, line = shutil.get_terminal_size().columns, f"{name:<34} {status:<15} {claim}"
    return line if len(line) <= width else f"{line[: max(width - 3, 1)]}..."


def _glob(word: str) -> str:
    """A paper's name alone stands for all of its claims."""
    return word if "/" in word or "*" in word else f"{word}/*"


def status_of(found: Found) -> str:
    """The verdict that is kept; `none` where there is none that can be read, and `out of date` where it is
    one of another claim."""
    kept = kept_of(found)
    if kept is None:
        return NONE
    return OUT_OF_DATE if is_stale(kept, found) else str(kept["verdict"])


def kept_of(found: Found) -> dict[str, Any] | None:
    """The verdict that is kept; None, and a line that says so, for one that cannot be read."""
    try:
        return read(found.json) if found.json.is_file() else None
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return None


def is_stale(kept: Mapping[str, Any], found: Found) -> bool:
    """Whether the claim was changed since this verdict on it, or asks for seeds that it has not."""
    claim = found.read(kept["budget"])
    return kept["asked"] != claim.asked or not set(claim.seeds) <= set(kept["seeds"])


def dry_run(
    plans: Sequence[Plan], found: Sequence[Found], home: Path, budget: str, lacks: Mapping[str, str | None]
) -> int:
    """Says what would be run, and how long it took the last time."""
    seen: dict[str, str] = {}
    total, unknown = 0.0, 0
    for plan, file in zip(plans, found, strict=True):
        name, own = plan.claim.name, {need.name: need for need in plan.needs.values()}
        absent = missing(home, own.values())
        if absent and (lacking := lacks[name]) is not None:
            print(f"{name}: not run: {lacking}")
            continue
        left = [need for need in absent if need.name not in seen]
        others = sorted({seen[need.name] for need in absent if need.name in seen})
        seen |= {need.name: name for need in left}
        each = _seconds_each(file, budget)
        known = each * len(left) if each is not None else None
        total, unknown = total + (known or 0.0), unknown + (known is None and bool(left))
        took = "" if not left else ", never timed" if known is None else f", about {duration(known)}"
        shared = f", {len(absent) - len(left)} more with {', '.join(others)}" if others else ""
        print(f"{name}: {len(left)} of {counted(len(own), 'run')} to do{shared}{took}")
        for need in left:
            print(f"  {need.name}  {need.label}")
    timed = f"about {duration(total)} of one core" if total or not unknown else "of a time that is not known"
    more = f", and {counted(unknown, 'claim')} never timed" if unknown and total else ""
    print(f"in all {counted(len(seen), 'run')}, {timed}{more}")
    return 0


def counted(number: int, what: str) -> str:
    """How many of something, in words."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def _seconds_each(found: Found, budget: str) -> float | None:
    """What one of the claim's runs took when its verdict was made, if that was at the same budget."""
    try:
        kept = read(found.json)
    except ConfigError:
        return None
    if kept["budget"] != budget or kept["verdict"] == NOT_RUN:
        return None
    runs = sum(len(arm["runs"]) for arm in kept["arms"].values())
    return float(kept["seconds"]) / runs if runs else None
