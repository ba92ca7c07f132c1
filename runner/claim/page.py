"""All verdicts as one page of HTML, which needs no other file and no network."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

from runner.claim.picture import VERDICTS
from runner.claim.report import Entry, effect, facts, papers, summary
from runner.claim.table import finding_line

STYLE = Path(__file__).parent / "assets" / "page.css"
HEAD = '<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Claims</title>'
COLUMNS = "<tr class=head><th>claim</th><th>verdict</th><th>effect, with its interval</th></tr>"
BACK = '<p class="back"><a href="#top">back to the top</a></p>'


def page(entries: Sequence[Entry]) -> str:
    """The page, with its pictures inside."""
    body = [f'<h1 id="top">Claims</h1><p>{escape(summary(entries))}.</p><ul>']
    for paper, group in papers(entries):
        body.append(f'<li><a href="#{escape(paper)}">{escape(paper)}</a>: {escape(summary(group))}</li>')
    body.append("</ul>")
    for paper, group in papers(entries):
        body.append(f'<h2 id="{escape(paper)}">{escape(paper)}</h2>{_index(group)}')
        body += [*(_article(entry) for entry in group), BACK]
    style = STYLE.read_text(encoding="utf-8")
    return (
        f'<!doctype html>\n<html lang="en"><head>{HEAD}<style>{style}</style></head>\n'
        f"<body>{''.join(body)}</body></html>\n"
    )


def _index(entries: Sequence[Entry]) -> str:
    return f"<table>{COLUMNS}{''.join(map(_row, entries))}</table>"


def _row(entry: Entry) -> str:
    link = f'<a href="#{escape(entry.name)}">{escape(entry.name.partition("/")[2])}</a>'
    return f"<tr><td>{link}</td><td>{_badge(entry.verdict)}</td><td>{escape(effect(entry))}</td></tr>"


def _badge(verdict: str) -> str:
    colour = VERDICTS.get(verdict, VERDICTS["not run"])
    return f'<span class="verdict" style="background:{colour}">{escape(verdict)}</span>'


def _why(entry: Entry) -> str:
    if entry.made is None:
        return ""
    before = f"what it said before, {entry.made['verdict']}, was of another version of this claim"
    return before if entry.stale else str(entry.made["why"])


def _article(entry: Entry) -> str:
    parts = [
        f'<article id="{escape(entry.name)}"><h3>{escape(entry.claim)}</h3>',
        f'<p class="source">{escape(entry.name)}; {escape(entry.source)}</p>',
        f"<p>{_badge(entry.verdict)} {escape(_why(entry))}</p>",
    ]
    if entry.picture is not None:
        data = base64.b64encode(entry.picture.read_bytes()).decode()
        image = f'<img alt="{escape(entry.name)}" src="data:image/png;base64,{data}">'
        parts.append(f'<div class="figure">{image}</div>')
    command = f"run claim {entry.name} --budget quick"
    if entry.made is not None:
        command = entry.made["command"]
        parts += [
            "<ul>",
            *(f"<li>{escape(finding_line(one))}</li>" for one in entry.made["findings"]),
            "</ul>",
        ]
        known = [f"<dt>{escape(label)}</dt><dd>{escape(text)}</dd>" for label, text in facts(entry.made)]
        parts.append(f"<dl>{''.join(known)}</dl>")
    return "".join([*parts, f"<pre><code>{escape(command)}</code></pre></article>\n"])
