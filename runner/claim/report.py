"""`run claim report`: all verdicts on one page, as Markdown and as HTML."""

from __future__ import annotations

import argparse
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
from runner.claim.record import read
from runner.claim.table import OUT_OF_DATE, finding_line, is_stale
from runner.compose import Composer
from runner.engine.progress import duration
from runner.errors import ConfigError, os_sentence
from runner.registry import ROOT

NAME = "claims"
NONE = "no verdict yet"
ORDER = ("reproduced", "not reproduced", "inconclusive", "not run", OUT_OF_DATE, NONE)


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
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    parser.add_argument("--config-dir", type=Path, action="append", default=[])
    options = parser.parse_intermixed_args(list(words))
    odd = [word for word in options.words if not word.startswith("methods.path=")]
    if odd:
        raise ConfigError(f"run claim report {odd[0]}: only methods.path=DIR and --out DIR are known")
    from runner.claim.page import page

    entries = [entry_of(found) for found in every(Composer(options.words, options.config_dir)).values()]
    make_folder(options.out)
    atomic.write_bytes(options.out / f"{NAME}.md", markdown(entries, options.out).encode())
    atomic.write_bytes(options.out / f"{NAME}.html", page(entries).encode())
    print(f"{len(entries)} claims: {counted(entries)}")
    print(f"page     {options.out / NAME}.html\nmarkdown {options.out / NAME}.md")
    return 0


def entry_of(found: Found) -> Entry:
    """The claim of a file with the verdict that is kept of it."""
    claim, kept, picture = (
        found.read("quick"),
        found.docs.with_suffix(".json"),
        found.docs.with_suffix(".png"),
    )
    try:
        made = read(kept) if kept.is_file() else None
    except ConfigError as error:
        print(error, file=sys.stderr)
        made = None
    shown = picture if picture.is_file() and made else None
    return Entry(
        found.name, claim.claim, claim.source, made, shown, made is not None and is_stale(made, found)
    )


def counted(entries: Sequence[Entry]) -> str:
    """How many there are of each verdict."""
    counts = Counter(entry.verdict for entry in entries)
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in ORDER if counts[verdict])


def papers(entries: Sequence[Entry]) -> list[tuple[str, list[Entry]]]:
    """The claims of each paper."""
    return [
        (paper, list(group)) for paper, group in groupby(entries, lambda entry: entry.name.partition("/")[0])
    ]


def facts(made: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What else is known of a verdict, as labels and texts."""
    machine, git, versions = made["machine"], made["git"], made["versions"]
    found = [(f"paper, {one['where']}", f"{one['what']}: {one['value']}") for one in made["paper"]]
    found.append(("seeds", ", ".join(map(str, made["seeds"]))))
    found.append(("budget", f"{made['budget']}; the runs took {duration(made['seconds'])} in all"))
    if machine:
        where = f"{machine['device']} ({machine['cpu']}), {machine['threads']} thread(s) a run"
        found.append(("made", f"{made['date']}, {where}, torch {versions.get('torch', '?')}"))
    if git and git.get("commit"):
        found.append(("code", f"{str(git['commit'])[:12]}{' with changes' if git.get('dirty') else ''}"))
    if made["notes"]:
        found.append(("notes", " ".join(made["notes"].split())))
    return found


def markdown(entries: Sequence[Entry], home: Path) -> str:
    """The page in Markdown; pictures are linked from `home`."""
    lines = ["# Claims", "", f"{len(entries)} claims: {counted(entries)}.", ""]
    lines += ["Made by `run claim report` from the files in `docs/claims/`.", ""]
    for paper, group in papers(entries):
        lines += [f"## {paper}", "", "| claim | verdict | effect |", "|---|---|---|"]
        lines += [f"| [{e.name}](#{_anchor(e.name)}) | {e.verdict} | {effect(e)} |" for e in group]
        for entry in group:
            lines += ["", *_section(entry, home)]
        lines.append("")
    return "\n".join(lines)


def _anchor(name: str) -> str:
    return name.replace("/", "").lower()


def effect(entry: Entry) -> str:
    """What was estimated, with its ends: of several findings, by the first that the verdict rests on."""
    if entry.made is None or not entry.made["findings"]:
        return ""
    findings = entry.made["findings"]
    first = next((one for one in findings if one["verdict"] == entry.verdict), findings[0])
    ends = (
        ""
        if first["low"] is None or first["high"] is None
        else f" ({first['low']:.4g} to {first['high']:.4g})"
    )
    estimate = "?" if first["estimate"] is None else f"{first['estimate']:.4g}"
    return f"{first['what']} = {estimate}{ends}"


def plain(text: str) -> str:
    """Text that means nothing to Markdown's HTML."""
    return escape(text, quote=False)


def make_folder(place: Path) -> None:
    """Makes a folder for what is written; raises `ConfigError`."""
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--out {place} cannot be a folder: {os_sentence(error)}") from None


def _section(entry: Entry, home: Path) -> list[str]:
    lines = [f"### {entry.name}", "", plain(f"{entry.claim} ({entry.source})"), "", f"**{entry.verdict}**"]
    if entry.made is None:
        return [*lines, "", f"`run claim {entry.name} --budget quick`"]
    if entry.made["why"]:
        lines[-1] += f": {plain(entry.made['why'])}"
    if entry.stale:
        lines[-1] += f"; what it said before, {entry.made['verdict']}, was of another version of this claim"
    lines += ["", *(f"- {plain(finding_line(found))}" for found in entry.made["findings"])]
    lines += [f"- {plain(label)}: {plain(text)}" for label, text in facts(entry.made)]
    lines += ["", f"`{entry.made['command']}`"]
    if entry.picture is not None and entry.picture.is_relative_to(home):
        lines += ["", f"![{entry.name}]({entry.picture.relative_to(home).as_posix()})"]
    return lines
