"""`run claim report`: all verdicts on one page, as Markdown and as HTML."""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any, NoReturn

from runner import atomic
from runner.claim.find import Found, every
from runner.claim.table import (
    NONE,
    OUT_OF_DATE,
    STATUSES,
    counted,
    ends,
    finding_line,
    is_stale,
    kept_of,
    number,
)
from runner.compose import Composer
from runner.engine.progress import duration
from runner.errors import ConfigError, os_sentence
from runner.registry import ROOT

NAME = "claims"
SPECIAL = re.compile(r"[\\`*\[\]|~]|(?<!\w)_|_(?!\w)|^[#+-]|^\d+(?=[.)])")
"""What Markdown would take for more than text: marks, and what begins a heading or a list."""


@dataclass(frozen=True)
class Entry:
    """A claim for the page.

    Attributes:
        made: the record of its verdict; None where it has none.
        stale: whether the claim was changed since.
        picture: its PNG, if there is one.
    """

    name: str
    claim: str
    source: str
    made: Mapping[str, Any] | None
    picture: Path | None
    stale: bool = False

    @property
    def verdict(self) -> str:
        """The verdict, or that there is none."""
        if self.made is None:
            return NONE
        return OUT_OF_DATE if self.stale else str(self.made["verdict"])


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"run claim report: {message}; see run claim --help")


def report(words: Sequence[str]) -> int:
    """The verb; writes `claims.md` and `claims.html` and says where."""
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--pages", type=Path)
    parser.add_argument("--config-dir", type=Path, action="append", default=[])
    options = parser.parse_intermixed_args(list(words))
    odd = [word for word in options.words if not word.startswith("methods.path=")]
    if odd:
        raise ConfigError(f"run claim report {odd[0]}: only methods.path=DIR is known, and --options")
    from runner.claim.page import page

    composer = Composer(options.words, options.config_dir)
    pages = options.pages or _beside(options.out, composer)
    entries, wrong = [], False
    for found in every(composer, options.out).values():
        try:
            entries.append(entry_of(found))
        except ConfigError as error:  # which the other claims cannot help
            print(f"error: {error}", file=sys.stderr)
            wrong = True
    make_folder(pages, "--pages" if options.pages else "--out")
    atomic.write_bytes(pages / f"{NAME}.md", markdown(entries, pages).encode())
    atomic.write_bytes(pages / f"{NAME}.html", page(entries).encode())
    print(summary(entries))
    print(f"page     {pages / NAME}.html\nmarkdown {pages / NAME}.md")
    return 2 if wrong else 0


def _beside(out: Path | None, composer: Composer) -> Path:
    """Where the pages go by default: to the verdicts, and never into the project for claims that are not."""
    if out is not None:
        return out
    home = composer.config_dirs[-1].parent if composer.config_dirs else ROOT
    return home / "docs"


def entry_of(found: Found) -> Entry:
    """The claim of a file with the verdict that is kept of it."""
    claim, made = found.read("quick"), kept_of(found)
    shown = found.png if found.png.is_file() and made else None
    stale = made is not None and is_stale(made, found)
    return Entry(found.name, claim.claim, claim.source, made, shown, stale)


def summary(entries: Sequence[Entry]) -> str:
    """How many there are of each verdict."""
    counts = Counter(entry.verdict for entry in entries)
    each = ", ".join(f"{counts[verdict]} {verdict}" for verdict in STATUSES if counts[verdict])
    return f"{counted(len(entries), 'claim')}: {each or NONE}"


def papers(entries: Sequence[Entry]) -> list[tuple[str, list[Entry]]]:
    """The claims of each paper."""
    return [
        (paper, list(group)) for paper, group in groupby(entries, lambda entry: entry.name.partition("/")[0])
    ]


def facts(made: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What else is known of a verdict, as labels and texts."""
    machine, git, versions = made["machine"], made["git"], made["versions"]
    found = [(f"paper, {one['where']}", f"{one['what']}: {one['value']}") for one in made["paper"]]
    found = found or [("paper", "gives no number for this")]
    found.append(("seeds", ", ".join(map(str, made["seeds"]))))
    found.append(("budget", f"{made['budget']}; the runs took {duration(made['seconds'])} in all"))
    if machine:
        threads = counted(machine.get("threads") or 1, "thread")
        where = f"{machine.get('device')} ({machine.get('cpu')}), {threads} a run"
        found.append(("made", f"{made['date']}, {where}, torch {versions.get('torch', '?')}"))
    if git and git.get("commit"):
        found.append(("code", f"{str(git['commit'])[:12]}{' with changes' if git.get('dirty') else ''}"))
    if made["notes"]:
        found.append(("notes", " ".join(made["notes"].split())))
    return found


def markdown(entries: Sequence[Entry], home: Path) -> str:
    """The page in Markdown; pictures are linked from `home`."""
    lines = ["# Claims", "", f"{summary(entries)}.", ""]
    lines += ["Made by `run claim report` from the files in `docs/claims/`.", ""]
    for paper, group in papers(entries):
        lines += [f"## {paper}", "", "| claim | verdict | effect |", "|---|---|---|"]
        lines += [
            f"| [{plain(e.name)}](#{_anchor(e.name)}) | {e.verdict} | {plain(effect(e))} |" for e in group
        ]
        for entry in group:
            lines += ["", *_section(entry, home)]
        lines.append("")
    return "\n".join(lines)


def _anchor(name: str) -> str:
    """What a heading is linked by: its letters, digits, _ and -."""
    return re.sub(r"[^\w-]", "", name.lower())


def effect(entry: Entry) -> str:
    """What was estimated, with its ends: of several findings, by the first that the verdict rests on, and how
    many of them held."""
    if entry.made is None or not entry.made["findings"]:
        return ""
    findings = entry.made["findings"]
    one = next((one for one in findings if one["verdict"] == entry.made["verdict"]), findings[0])
    held = sum(one["verdict"] == "reproduced" for one in findings)
    more = f"; {held} of {len(findings)} parts hold" if len(findings) > 1 else ""
    estimate = f"{one['metric']}: {one['what']} = {number(one['estimate'])}"
    return f"{estimate} ({ends(one)}), wanted {one['wanted']}{more}"


def plain(text: str) -> str:
    """Text on one line that means nothing to Markdown or its HTML."""
    return SPECIAL.sub(r"\\\g<0>", escape(" ".join(text.split()), quote=False))


def _code(text: str) -> str:
    """Text on one line as code, between more backticks than it has in a row."""
    line = " ".join(text.split())
    ticks = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    return f"{ticks}{line}{ticks}" if len(ticks) == 1 else f"{ticks} {line} {ticks}"


def make_folder(place: Path, option: str = "--out") -> None:
    """Makes a folder for what is written; raises `ConfigError`."""
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{option} {place} cannot be a folder: {os_sentence(error)}") from None


def _section(entry: Entry, home: Path) -> list[str]:
    lines = [
        f"### {plain(entry.name)}",
        "",
        plain(f"{entry.claim} ({entry.source})"),
        "",
        f"**{entry.verdict}**",
    ]
    if entry.made is None:
        return [*lines, "", f"`run claim {entry.name} --budget quick`"]
    if entry.made["why"]:
        lines[-1] += f": {plain(entry.made['why'])}"
    if entry.stale:
        lines[-1] += f"; what it said before, {entry.made['verdict']}, was of another version of this claim"
    lines += ["", *(f"- {plain(finding_line(found))}" for found in entry.made["findings"])]
    lines += [f"- {plain(label)}: {plain(text)}" for label, text in facts(entry.made)]
    lines += ["", _code(entry.made["command"])]
    if entry.picture is not None and entry.picture.is_relative_to(home):
        lines += ["", f"![{plain(entry.name)}]({entry.picture.relative_to(home).as_posix()})"]
    return lines
