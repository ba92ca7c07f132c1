"""The page of all verdicts: what it says, that it needs nothing else, and how it looks in a browser."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from runner.claim.find import every
from runner.compose import Composer
from tests.runner.claim.test_command import Place
from tests.runner.compare import test_page
from tests.runner.compare.test_page import Browser, browser_only
from tests.runner.toys.runs import TOYS

browser = test_page.browser
FINDING = {
    "form": "direction", "metric": "test/nats", "what": "long - short", "wanted": "below 0", "estimate": -0.4,
    "low": -0.6, "high": -0.2, "level": 0.95, "how": "t over 3 seeds", "verdict": "reproduced",
}  # fmt: skip
MADE: dict[str, Any] = {
    "name": "toys/steps", "claim": "More steps fit better.", "source": "nobody", "verdict": "reproduced",
    "why": "", "asked": "",
    "budget": "quick", "seeds": [1, 2, 3], "findings": [FINDING],
    "arms": {
        "long": {"words": [], "of": None, "values": {"test/nats": [1.0, 1.1, 1.2]}, "runs": {}},
        "short": {"words": [], "of": None, "values": {"test/nats": [1.5, 1.4, 1.6]}, "runs": {}},
    },
    "paper": [{"what": "nats", "value": 1.5, "where": "table 9"}], "notes": "by <nobody> & co",
    "command": "run claim toys/steps --budget quick", "seconds": 12.0, "date": "2026-01-02",
    "versions": {"torch": "2.6"}, "git": {"commit": "0123456789abcdef", "dirty": True},
    "machine": {"device": "cpu", "threads": 1, "cpu": "x86_64"},
}  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Three claims: one with a verdict and its picture, one that could not be run, one without any."""
    from runner.claim.picture import draw

    made = Place(tmp_path)
    for name in ("steps", "missing", "new"):
        made.write(name, claim=f"The claim <{name}> & more.")
    kept = made.docs / "toys"
    kept.mkdir(parents=True)
    found = every(Composer([f"methods.path=[{TOYS}]"], [made.conf]))
    asked = {name: found[f"toys/{name}"].read("quick").asked for name in ("steps", "missing")}
    (kept / "steps.json").write_text(json.dumps({**MADE, "asked": asked["steps"]}))
    draw(MADE, kept / "steps.png")
    lost = {
        **MADE,
        "name": "toys/missing",
        "asked": asked["missing"],
        "verdict": "not run",
        "why": "needs ImageNet",
        "findings": [],
        "arms": {},
    }
    (kept / "missing.json").write_text(json.dumps(lost))
    return made


def reported(place: Place) -> tuple[str, str]:
    assert place.run("report") == 0
    return (place.home / "docs" / "claims.md").read_text(), (place.home / "docs" / "claims.html").read_text()


def test_each_claim_has_its_verdict_effect_and_command(place: Place) -> None:
    markdown, page = reported(place)
    for text in (markdown, page):
        assert "-0.4" in text
        assert "-0.6" in text
        assert "table 9" in text
        assert "0123456789ab with changes" in text
        assert "run claim toys/steps --budget quick" in text
        assert "needs ImageNet" in text
        assert "no verdict" in text
    effect = "test/nats: long - short = -0.4 (95 % interval -0.6 to -0.2), wanted below 0"
    assert f"| [toys/steps](#toyssteps) | reproduced | {effect} |" in markdown
    assert "![toys/steps](claims/toys/steps.png)" in markdown
    assert "by &lt;nobody&gt; &amp; co" in page
    assert "<nobody>" not in page


def test_no_text_of_a_claim_is_more_than_text(place: Place) -> None:
    """Marks, links, lines and cells of a table that a claim's own words would make in Markdown."""
    place.write(
        "steps",
        claim="# More | [here](javascript:alert) `code` *loud* <b>",
        source="a\n\n- b",
        paper=[{"what": "x | y", "value": "`1`", "where": "[t](u)"}],
    )
    found = every(Composer([f"methods.path=[{TOYS}]"], [place.conf]))["toys/steps"]
    made = {**MADE, "asked": found.read("quick").asked, "notes": "1. one\n2. two", "command": "run `x` ``y``"}
    made["findings"] = [{**FINDING, "metric": "a|b", "what": "_c_ - d_e"}]
    made["paper"] = [{"what": "x | y", "value": "`1`", "where": "[t](u)"}]
    found.json.write_text(json.dumps(made))
    markdown = reported(place)[0]
    part = markdown.partition("### toys/steps")[2]
    assert r"\# More \| \[here\](javascript:alert) \`code\` \*loud\* &lt;b&gt; (a - b)" in part
    assert r"x \| y: \`1\`" in part
    assert r"a\|b: \_c\_ - d_e = -0.4" in markdown
    assert "``` run `x` ``y`` ```" in part
    assert "\n1. " not in part
    row = next(line for line in markdown.splitlines() if line.startswith("| [toys/steps]"))
    assert len(re.findall(r"(?<!\\)\|", row)) == 4


def test_the_page_needs_no_other_file_and_no_network(place: Place) -> None:
    page = reported(place)[1]
    assert "data:image/png;base64," in page
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)""", page)
    assert "http" not in page
    assert "<script" not in page


def test_a_claim_that_was_not_run_shows_no_picture(place: Place) -> None:
    from runner.claim.picture import draw

    path = place.docs / "toys" / "steps.png"
    draw({**MADE, "findings": [], "arms": {}, "verdict": "not run"}, path)
    assert not path.exists(), "the picture of an earlier verdict"


@browser_only
@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_it_fits_a_desk_and_a_phone(place: Place, browser: Browser, width: int, height: int) -> None:
    reported(place)
    browser.open(place.home / "docs" / "claims.html", width, height)
    assert browser.js("return document.documentElement.scrollWidth") <= width, "nothing sticks out"
    said = "return [...document.querySelectorAll('article[id^=toys] .verdict')].map(e => e.textContent)"
    names = browser.js(said)
    assert sorted(names) == ["no verdict", "not run", "reproduced"]
    assert browser.js("return document.querySelector('img').naturalWidth") > 300
    assert browser.js("return document.querySelector('.figure').getBoundingClientRect().width") <= width
    assert browser.js("return document.querySelector('img').getBoundingClientRect().width") >= 400, "legible"
    shown = "return getComputedStyle(document.querySelector('td:nth-child(3)')).display"
    assert browser.js(shown) != "none", "the effect is for phones, too"
    browser.js("document.querySelector('a[href^=\\'#toys/\\']').click()")
    assert browser.js("return location.hash") == "#toys/missing"
    assert browser.errors() == []
