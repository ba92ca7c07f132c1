"""The page, read as text and used in a browser with real input: pointer, wheel, keys and fingers."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner.compare import main

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
]
browser_only = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="no chromium with chromedriver on this machine"
)


class Browser:
    """A page in headless Chromium, driven over chromedriver's HTTP protocol (W3C WebDriver)."""

    def __init__(self, address: str, profile: Path) -> None:
        self.address = address
        options = {"binary": CHROMIUM, "args": [*FLAGS, f"--user-data-dir={profile}"]}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        made = self._post("/session", {"capabilities": {"alwaysMatch": wanted}})
        self.session = f"/session/{made['sessionId']}"

    def open(self, page: Path, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.devtools("Emulation.setDeviceMetricsOverride", size)
        self.devtools("Emulation.setTouchEmulationEnabled", {"enabled": width < 600})
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.devtools("Emulation.setEmulatedMedia", {"features": [scheme]})
        self.call("/url", {"url": page.resolve().as_uri()})

    def js(self, script: str, *arguments: Any) -> Any:
        return self.call("/execute/sync", {"script": script, "args": list(arguments)})

    def devtools(self, command: str, parameters: dict[str, Any]) -> Any:
        return self.call("/goog/cdp/execute", {"cmd": command, "params": parameters})

    def act(self, kind: str, *steps: dict[str, Any], pointer: str = "mouse", name: str = "one") -> None:
        self.act_all(source(kind, *steps, pointer=pointer, name=name))

    def act_all(self, *sources: dict[str, Any]) -> None:
        self.call("/actions", {"actions": list(sources)})

    def click(self, selector: str) -> None:
        x, y = self.js(
            "const e = document.querySelector(arguments[0]); e.scrollIntoView({block: 'center'});"
            "const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]",
            selector,
        )
        self.act("pointer", move(x, y), DOWN, UP)

    def errors(self) -> list[str]:
        return [entry["message"] for entry in self.call("/se/log", {"type": "browser"})]

    def picture(self, path: Path) -> None:
        path.write_bytes(
            base64.b64decode(self.devtools("Page.captureScreenshot", {"captureBeyondViewport": True})["data"])
        )

    def close(self) -> None:
        request = urllib.request.Request(self.address + self.session, method="DELETE")
        urllib.request.urlopen(request, timeout=60).close()

    def call(self, path: str, body: dict[str, Any]) -> Any:
        return self._post(self.session + path, body)

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        request = urllib.request.Request(self.address + path, json.dumps(body).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=90) as reply:
            return json.load(reply)["value"]


def source(kind: str, *steps: dict[str, Any], pointer: str = "mouse", name: str = "one") -> dict[str, Any]:
    more = {"parameters": {"pointerType": pointer}} if kind == "pointer" else {}
    return {"type": kind, "id": f"{kind}-{pointer}-{name}", "actions": list(steps), **more}


def move(x: float, y: float, duration: int = 0) -> dict[str, Any]:
    return {"type": "pointerMove", "x": round(x), "y": round(y), "duration": duration}


DOWN = {"type": "pointerDown", "button": 0}
UP = {"type": "pointerUp", "button": 0}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    command = [str(DRIVER), "--port=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as driver:
        assert driver.stdout is not None
        lines = iter(driver.stdout.readline, "")
        port = next(found[1] for line in lines if (found := re.search(r"successfully on port (\d+)", line)))
        opened = Browser(f"http://127.0.0.1:{port}", tmp_path_factory.mktemp("profile"))
        yield opened
        opened.close()
        driver.terminate()


def write_page(folder: Path, *options: str) -> Path:
    out = folder.parent / "page"
    main([str(folder), "--table", "--out", str(out), *options])
    return out / "compare.html"


def means(sweep: Path, rate: str, metric: str) -> dict[int, tuple[float, float]]:
    """Mean and deviation of a metric over the three seeds at each step, by numpy from the logs themselves."""
    runs = []
    for seed in (1, 2, 3):
        lines = (sweep / f"method.lr={rate},seed={seed}/metrics.jsonl").read_text().splitlines()[:-1]
        rows = [json.loads(line) for line in lines]
        runs.append({row["step"]: row[metric] for row in rows if metric in row})
    table = {step: np.array([run[step] for run in runs]) for step in runs[0]}
    return {step: (float(values.mean()), float(values.std(ddof=1))) for step, values in table.items()}


def readout(browser: Browser) -> dict[str, str]:
    """The readout's names and values; the step is the value of `step`."""
    rows = browser.js(
        "const r = document.querySelector('#readout'), text = (e, s) => e.querySelector(s).textContent;"
        "return r.hidden ? [] : [...r.children].map(e => [text(e, '.name'), text(e, '.value')])"
    )
    return {"step" if name.startswith("step ") else name: value or name[5:] for name, value in rows}


def chart_box(browser: Browser) -> tuple[float, float, float, float]:
    """Left, right, top and bottom of the plotted area in the window."""
    left, right, top, bottom = browser.js(
        "document.querySelector('#chart').scrollIntoView({block: 'center'});"
        "const b = document.querySelector('#chart').getBoundingClientRect();"
        "const r = document.querySelector('#inside rect'), n = k => Number(r.getAttribute(k));"
        "return [b.x + n('x'), b.x + n('x') + n('width'), b.y + n('y'), b.y + n('y') + n('height')]"
    )
    return left, right, top, bottom


def labels(browser: Browser, anchor: str) -> list[float]:
    """The numbers on an axis: `middle` for the steps, `end` for the values."""
    texts = browser.js(
        "return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)",
        f"#chart .axes text:not(.axis-title)[text-anchor={anchor}]",
    )
    return [float(text.replace("\u202f", "")) for text in texts]


def choose(browser: Browser, metric: str) -> None:
    browser.js(
        "const s = document.querySelector('#metric');"
        "s.value = [...s.options].find(o => o.text === arguments[0]).value;"
        "s.dispatchEvent(new Event('change'))",
        metric,
    )


def count(browser: Browser, selector: str) -> int:
    return int(browser.js("return document.querySelectorAll(arguments[0]).length", selector))


def test_the_page_refers_to_nothing_outside_and_its_policy_names_its_own_script(sweep: Path) -> None:
    text = write_page(sweep).read_text()
    assert set(re.findall(r"\w+://[^\s\"'<]+", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.findall(r"<(?:link|iframe|object|embed|base|form(?! method=\"dialog\"))", text)
    assert set(re.findall(r'src="([^"]{10})', text)) == {"data:image"}
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "*" not in policy


def test_pictures_are_limited_in_number_and_size(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = write_page(sweep).read_text()
    assert text.count("<figure>") == 3  # one configuration each, the latest of two steps
    assert "samples_001000" not in text
    monkeypatch.setattr("runner.compare.pictures.MOST_PICTURES", 2)
    text = write_page(sweep).read_text()
    assert text.count("<figure>") == 2
    assert "1 more in the runs" in text
    monkeypatch.setattr("runner.compare.pictures.MOST_BYTES", 1000)
    assert "<figure>" not in write_page(sweep).read_text()


def test_long_curves_are_thinned_and_their_extremes_stay(write_run: Any) -> None:
    rows = [{"stage": "s", "step": step, "x": float(np.sin(step / 999))} for step in range(30_000)]
    rows[12_345]["x"] = 77.5
    write_run("a", config=write_run.settings(1), rows=rows, result=write_run.finished(1, {}))
    page = write_page(write_run.parent)
    assert page.stat().st_size < 150_000
    assert "77.5" in page.read_text()


@browser_only
def test_hover_reads_the_mean_of_the_seeds_at_the_nearest_step(sweep: Path, browser: Browser) -> None:
    browser.open(write_page(sweep))
    left, right, top, bottom = chart_box(browser)
    assert count(browser, "#chart .line") == 3
    assert count(browser, "#chart .band") == 2
    browser.act("pointer", move(left + (right - left) * (805 - 200) / 1800, (top + bottom) / 2))
    found = readout(browser)
    assert found["step"] == "800"
    mean, sd = means(sweep, "0.0003", "validation/bits_per_dim")[800]
    value, spread, n = re.findall(r"[\d.]+", found["lr=0.0003"])
    assert float(value) == pytest.approx(mean, abs=1e-4)
    assert float(spread) == pytest.approx(sd, rel=0.06)
    assert n == "3"
    assert set(found) == {
        "step",
        "lr=0.0003",
        "lr=0.001",
        "lr=0.0001",
        "lr=0.0001 · seed 3",
    }  # seed 2 failed before
    browser.act("pointer", move(2, 2))
    assert readout(browser) == {}
    assert browser.errors() == []


@browser_only
def test_a_dragged_box_and_the_wheel_zoom_and_a_double_click_resets(sweep: Path, browser: Browser) -> None:
    browser.open(write_page(sweep))
    choose(browser, "train/bits_per_dim")
    whole = labels(browser, "middle"), labels(browser, "end")
    left, right, top, bottom = chart_box(browser)
    x = [left + (right - left) * share for share in (0.5, 0.75)]
    y = [top + (bottom - top) * share for share in (0.6, 0.95)]
    browser.act("pointer", move(x[0], y[0]), DOWN, move(x[1], y[1], 50), UP)
    steps, values = labels(browser, "middle"), labels(browser, "end")
    # 20 + 0.5 * 1980 and 20 + 0.75 * 1980 are the box's ends
    assert min(steps) > 990
    assert max(steps) < 1520
    assert max(values) - min(values) < 0.6 * (max(whole[1]) - min(whole[1]))
    middle = move((left + right) / 2, (top + bottom) / 2)
    for _ in range(2):
        browser.act("pointer", middle, DOWN, UP, DOWN, UP)
        assert (labels(browser, "middle"), labels(browser, "end")) == whole
        origin = {"x": middle["x"], "y": middle["y"], "deltaX": 0, "duration": 0}
        browser.act("wheel", {"type": "scroll", "deltaY": -400, **origin})
        near = labels(browser, "middle")
        assert max(near) - min(near) < 0.9 * (max(whole[0]) - min(whole[0]))
        browser.act("wheel", {"type": "scroll", "deltaY": 200, **origin})
        far = labels(browser, "middle")
        assert max(far) - min(far) > max(near) - min(near)
    assert browser.errors() == []


@browser_only
def test_controls_change_what_is_drawn(sweep: Path, browser: Browser) -> None:
    browser.open(write_page(sweep))
    path = "return document.querySelector('#chart .line').getAttribute('d')"
    assert count(browser, "#chart .seed") == 2  # the failed and the running one
    assert count(browser, "#chart .end") == 2
    browser.click("#seeds")
    assert count(browser, "#chart .seed") == 2 + 3 + 3  # the only completed run is its mean already
    straight = browser.js(path)
    browser.click("#log")
    assert browser.js(path) != straight
    browser.click("#log")
    assert browser.js(path) == straight
    browser.js(
        "const s = document.querySelector('#smoothing'); s.value = 0.9; s.dispatchEvent(new Event('input'))"
    )
    assert browser.js(path) != straight
    assert count(browser, "#chart .raw") == 3
    browser.click("#legend li:nth-child(2) button")
    assert count(browser, "#chart .line") == 2
    assert (
        browser.js("return document.querySelector('#legend li:nth-child(2) button').ariaPressed") == "false"
    )
    browser.click("#none")
    assert "no configuration is shown" in browser.js("return document.querySelector('#chart').textContent")
    browser.click("#all")
    assert count(browser, "#chart .line") == 3
    assert browser.errors() == []


@browser_only
def test_smoothing_is_the_debiased_moving_average(write_run: Any, browser: Browser) -> None:
    values = [3.0, 1.0, 2.0, 5.0]
    rows = [{"stage": "s", "step": step, "x": value} for step, value in enumerate(values)]
    write_run("a", config=write_run.settings(1), rows=rows, result=write_run.finished(1, {}))
    browser.open(write_page(write_run.parent))
    browser.js(
        "const s = document.querySelector('#smoothing'); s.value = 0.5; s.dispatchEvent(new Event('input'))"
    )
    left, right, top, bottom = chart_box(browser)
    weights = 0.5 ** np.arange(4)[::-1]
    for last, step in ((4, 3), (2, 1)):
        browser.act("pointer", move(left + (right - left) * step / 3, (top + bottom) / 2))
        expected = np.average(values[:last], weights=weights[-last:])
        assert float(readout(browser)["realnvp-digits"]) == pytest.approx(expected, rel=1e-4)


@browser_only
def test_between_its_points_a_curve_is_read_on_the_straight_line(write_run: Any, browser: Browser) -> None:
    for kind, steps in (("fine", range(0, 31, 5)), ("rough", (0, 20, 30))):
        rows = [{"stage": "s", "step": step, "x": float(step**2)} for step in steps]
        result = write_run.finished(1, {})
        write_run(kind, config=write_run.settings(1, kind=kind), rows=rows, result=result)
    browser.open(write_page(write_run.parent))
    left, right, top, bottom = chart_box(browser)
    browser.act("pointer", move((left + right) / 2, (top + bottom) / 2))
    assert readout(browser) == {"step": "15", "kind=fine": "225", "kind=rough": "≈ 300"}  # 0.75 * 20 ** 2


@browser_only
def test_a_lone_point_has_its_deviation_as_a_bar(write_run: Any, browser: Browser) -> None:
    for seed, value in ((1, 2.0), (2, 4.0)):
        rows = [{"stage": "s", "step": 20, "x": value}]
        write_run(f"r{seed}", config=write_run.settings(seed), rows=rows, result=write_run.finished(seed, {}))
    browser.open(write_page(write_run.parent))
    low, high, middle = browser.js(
        "const bar = document.querySelector('#chart .bar').getBBox();"
        "const point = document.querySelector('#chart .point');"
        "return [bar.y + bar.height, bar.y, Number(point.getAttribute('cy'))]"
    )
    assert middle == pytest.approx((low + high) / 2)
    ticks = browser.js(
        "return [...document.querySelectorAll('#chart .axes text[text-anchor=end]')]"
        ".map(e => [Number(e.textContent), Number(e.getAttribute('y')) - 4])"
    )
    pixels = np.polyfit([value for value, _ in ticks], [y for _, y in ticks], 1)
    assert np.polyval(pixels, 3 + np.sqrt(2)) == pytest.approx(high, abs=0.1)


@browser_only
def test_the_keyboard_alone_is_enough(sweep: Path, browser: Browser) -> None:
    browser.open(write_page(sweep))
    browser.js("document.querySelector('#chart').focus()")

    def press(key: str, times: int = 1) -> None:
        strokes = [{"type": kind, "value": key} for _ in range(times) for kind in ("keyDown", "keyUp")]
        browser.act("key", *strokes)

    press("\ue014", 3)  # right
    assert readout(browser)["step"] == "600"
    press("\ue012")  # left
    assert readout(browser)["step"] == "400"
    whole = labels(browser, "middle")
    press("+", 3)
    assert max(labels(browser, "middle")) - min(labels(browser, "middle")) < max(whole) - min(whole)
    press("0")
    assert labels(browser, "middle") == whole
    browser.js("document.querySelector('#legend button').focus()")
    press(" ")
    assert count(browser, "#chart .line") == 2


@browser_only
def test_two_fingers_zoom_and_one_reads(sweep: Path, browser: Browser) -> None:
    browser.open(write_page(sweep), width=390, height=844)
    choose(browser, "train/bits_per_dim")
    whole = labels(browser, "middle")
    left, right, top, bottom = chart_box(browser)
    x, y = (left + right) / 2, (top + bottom) / 2
    browser.act("pointer", move(x, y), DOWN, UP, pointer="touch")
    assert 800 < int(readout(browser)["step"].replace("\u202f", "")) < 1250
    fingers = [
        source(
            "pointer",
            move(x + side * 20, y),
            DOWN,
            move(x + side * 100, y, 100),
            UP,
            pointer="touch",
            name=str(side),
        )
        for side in (-1, 1)
    ]
    browser.act_all(*fingers)
    near = labels(browser, "middle")
    assert max(near) - min(near) < 0.7 * (max(whole) - min(whole))
    assert browser.errors() == []


@browser_only
def test_tables_sort_both_ways_with_missing_values_last(sweep: Path, browser: Browser) -> None:
    browser.open(write_page(sweep))
    head = "#runs ~ .scroll th:nth-child(6)"
    column = (
        "return [...document.querySelectorAll('#runs ~ .scroll tbody tr')].map(r => r.cells[5].textContent)"
    )
    assert browser.js("return document.querySelector(arguments[0]).textContent", head) == "test/bits_per_dim"
    browser.click(f"{head} button")
    first = browser.js(column)
    browser.click(f"{head} button")
    second = browser.js(column)
    assert first[-2:] == second[-2:] == ["-", "-"]
    assert [float(text) for text in first[:-2]] == sorted(float(text) for text in first[:-2])
    assert second[:-2] == first[:-2][::-1]
    assert browser.js("return document.querySelector(arguments[0]).ariaSort", head) == "descending"


@browser_only
def test_a_figure_is_enlarged_and_closed(sweep: Path, browser: Browser) -> None:
    browser.open(write_page(sweep))
    browser.click(".picture")
    assert browser.js("return document.querySelector('#enlarged').open")
    browser.act("key", {"type": "keyDown", "value": "\ue00c"}, {"type": "keyUp", "value": "\ue00c"})
    assert not browser.js("return document.querySelector('#enlarged').open")


@browser_only
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_fits_its_window_and_follows_the_colour_scheme(
    sweep: Path, browser: Browser, width: int, dark: bool
) -> None:
    browser.open(write_page(sweep), width=width, dark=dark)
    assert browser.js("return [innerWidth, document.documentElement.scrollWidth]") == [width, width]
    paper, ink = browser.js("const s = getComputedStyle(document.body); return [s.backgroundColor, s.color]")
    assert (brightness(paper) < brightness(ink)) == dark
    for place in range(7):
        tone = browser.js(
            "const line = document.querySelector('#chart .line');"
            "line.parentNode.setAttribute('class', `c${arguments[0]}`); return getComputedStyle(line).stroke",
            place,
        )
        assert contrast(tone, paper) >= 3, place
    assert browser.errors() == []


@browser_only
def test_names_and_values_cannot_break_out(write_run: Any, browser: Browser) -> None:
    evil = "</script><script>window.hacked=1</script><img src=x onerror='window.hacked=2'>\"'&<!--"
    for value in (evil, "tame"):
        rows = [{"stage": "<b>", "step": step, f"m{evil}": 1.0 * step} for step in (1, 2)]
        result = write_run.finished(1, {f"test/{evil}": 1.0}, status="failed", error=evil)
        write_run(
            value[:4].strip("</") + "&lt;", config={"a": {evil: value}, "seed": 1}, rows=rows, result=result
        )
    browser.open(write_page(write_run.parent))
    assert browser.js("return window.hacked") is None
    assert evil in browser.js("return document.querySelector('#legend').textContent")
    assert f"m{evil}" in browser.js("return [...document.querySelector('#metric').options].map(o => o.text)")
    assert evil in browser.js("return document.querySelector('#differences ~ .scroll').textContent")
    assert count(browser, "img[src=x]") == 0
    assert browser.errors() == []


@browser_only
def test_a_page_with_nothing_to_draw_says_so(write_run: Any, browser: Browser) -> None:
    write_run("a", config=write_run.settings(1), rows=[])
    browser.open(write_page(write_run.parent))
    assert browser.js(
        "return [document.querySelector('#plot').hidden, document.querySelector('#nothing').hidden]"
    ) == [
        True,
        False,
    ]
    assert browser.errors() == []


def brightness(colour: str) -> float:
    """Relative luminance (WCAG 2.2) of `rgb(r, g, b)`."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def contrast(one: str, other: str) -> float:
    """Contrast ratio (WCAG 2.2), from 1 to 21."""
    low, high = sorted((brightness(one), brightness(other)))
    return (high + 0.05) / (low + 0.05)
