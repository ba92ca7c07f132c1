"""One page that holds everything and needs neither network nor server."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from string import Template

from runner.compare import sections
from runner.compare.group import Comparison
from runner.compare.panels import Panel
from runner.compare.payload import embed, make_payload

_ASSETS = Path(__file__).with_name("assets")
_SCRIPTS = ("scale.js", "series.js", "chart.js", "zoom.js", "tables.js", "main.js")


def render(
    panels: Sequence[Panel],
    comparison: Comparison,
    metrics: Sequence[str],
    log: bool,
    log_x: bool,
    against: bytes | None = None,
) -> str:
    """The page's HTML; its policy allows its own script, style and pictures, and nothing else.

    Arguments:
        against: PNG of the final metrics against what was swept.
    """
    style = _asset("page.css")
    script = "\n".join(['"use strict";', "(() => {", *map(_asset, _SCRIPTS), "})();"])
    return Template(_asset("page.html")).substitute(
        policy=_policy(script, style),
        style=style,
        script=script,
        count=sections.count(comparison),
        date=time.strftime("%Y-%m-%d %H:%M"),
        results=sections.results(comparison, metrics),
        runs=sections.runs(comparison, metrics),
        differences=sections.differences(comparison),
        environment=sections.environment(comparison),
        notes=sections.notes(comparison),
        against=sections.against(against),
        figures=sections.figures(comparison),
        data=embed(make_payload(panels, comparison, log, log_x)),
    )


def _policy(script: str, style: str) -> str:
    return (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")
