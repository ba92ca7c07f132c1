"""The rows of a sweep, asked of a TensorBoard that is started for it, and seen in a browser."""

from __future__ import annotations

import json
import logging
import math
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.plugins.base_plugin import TBContext
from werkzeug.test import Client

from runner import cli
from runner.engine.journal import Journal
from runner.folder import locked
from runner.sweep.hparams import Column, Table, columns
from tests.runner.compare import test_page
from tests.runner.compare.test_page import Browser, browser_only
from tests.runner.toys.runs import TOYS

pytestmark = pytest.mark.filterwarnings("ignore:html5lib:DeprecationWarning")
browser = test_page.browser
ROOT = Path(__file__).resolve().parents[3]
BITS, FID, ELBO = "test/bits_per_dim", "test/fid", "vae/validation/elbo"
STATUSES = ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"]
# The first job fails at once; each of the others brings a metric that those before it lack.
JOBS: dict[str, dict[str, Any]] = {
    "lr=0.1": {"lr": 0.1, "seed": 1, "ema": None, "affine": True, "widths": [8, 16], "method": "a"},
    "lr=0.0003": {"lr": 0.0003, "seed": 2, "ema": 0.99, "affine": False, "widths": [8], "method": "a"},
    "lr=1": {"lr": 1, "seed": 3, "ema": 0.99, "affine": True, "widths": [8, 16], "method": "a"},
    "lr=0.001": {"lr": 0.001, "seed": 4, "affine": True, "widths": [8, 16], "method": "a"},
}
METRICS = {
    "lr=0.1": {},
    "lr=0.0003": {BITS: 2.25},
    "lr=1": {ELBO: -90.0, BITS: 3.5},
    "lr=0.001": {BITS: 2.75, FID: 17.0},
}
STATUS = {"lr=0.1": "failed", "lr=0.0003": "completed", "lr=1": "completed", "lr=0.001": "stopped"}


def run(folder: Path, metrics: dict[str, float]) -> None:
    """What a run of two steps leaves in its folder."""
    journal = Journal(folder)
    for step in (1, 2):
        journal.write("flow", step, {"train/bits_per_dim": 4.0 / step, BITS: 9.0})
        journal.speed(step, {"time/seconds": 1.0 * step})
    for name, value in metrics.items():
        journal.write("flow", 2, {re.sub("(test|validation)/", r"final/\1/", name): value})
    journal.close()


def job(home: Path, name: str, metrics: dict[str, float]) -> Path:
    """The folder of a job that has run."""
    (home / name).mkdir()
    run(home / name, metrics)
    return home / name


def events(folder: Path) -> Path:
    (file,) = folder.glob("events.*")
    return file


def scalars(folder: Path) -> list[tuple[str, int]]:
    """Names and steps of the scalars that TensorBoard's own reader finds."""
    loaded = EventFileLoader(str(events(folder))).Load()
    values = [(value, event.step) for event in loaded for value in event.summary.value]
    return [
        (value.tag, step) for value, step in values if value.metadata.plugin_data.plugin_name == "scalars"
    ]


class Board:
    """What the HParams plugin answers."""

    def ask(self, path: str, **body: Any) -> Any:
        raise NotImplementedError

    def rows(self) -> dict[str, dict[str, Any]]:
        """Status, values and metrics of each row, of which each must be one job's."""
        found = self.ask("session_groups", allowedStatuses=STATUSES, startIndex=0, sliceSize=100)
        return {row["name"]: self._row(**row) for row in found["sessionGroups"]}

    @staticmethod
    def _row(sessions: list[Any], hparams: Any, metricValues: list[Any], **_: Any) -> dict[str, Any]:
        (session,) = sessions
        metrics = {metric["name"]["tag"]: metric["value"] for metric in metricValues}
        return {"status": session["status"], "values": hparams, "metrics": metrics}

    def metrics(self) -> list[str]:
        """Names of the columns of metrics."""
        return [info["displayName"] for info in self.ask("experiment")["metricInfos"]]


class Served(Board):
    """A TensorBoard that runs."""

    def __init__(self, address: str) -> None:
        self.address = address

    def ask(self, path: str, **body: Any) -> Any:
        address, kind = f"{self.address}/data/plugin/hparams/{path}", {"Content-Type": "application/json"}
        request = urllib.request.Request(address, json.dumps(body).encode(), kind)
        with urllib.request.urlopen(request, timeout=30) as reply:
            return json.load(reply)


class Asked(Board):
    """The plugin alone, in this process, with what is below `home` now."""

    def __init__(self, home: Path) -> None:
        from tensorboard.plugins.hparams.hparams_plugin import HParamsPlugin  # warns of its own age

        read = EventMultiplexer().AddRunsFromDirectory(str(home)).Reload()
        context = TBContext(data_provider=MultiplexerDataProvider(read, str(home)))
        self._apps = HParamsPlugin(context).get_plugin_apps()

    def ask(self, path: str, **body: Any) -> Any:
        return Client(self._apps[f"/{path}"]).post("/", json=body).json


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("sweep")
    table = Table(columns(list(JOBS.values())))
    for name, values in JOBS.items():
        (home / name).mkdir()
        if STATUS[name] != "failed":
            run(home / name, METRICS[name])
        table.add(home / name, values, METRICS[name], STATUS[name])
    return home


@pytest.fixture(scope="module", params=["auto", "false"])
def tensorboard(sweep: Path, request: pytest.FixtureRequest) -> Iterator[Served]:
    """TensorBoard as a user starts it, for this machine alone, once it has read all jobs.

    It has two readers, which go through the jobs in different orders.
    """
    words = ["--logdir", str(sweep), "--host=127.0.0.1", "--port=0", f"--load_fast={request.param}"]
    command = [sys.executable, "-m", "tensorboard.main", *words]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            lines = iter(server.stderr.readline, "")
            found = (re.search(r"at (http://127\.0\.0\.1:\d+)/", line) for line in lines)
            opened = Served(next(filter(None, found))[1])
            deadline = time.monotonic() + 60
            while len(opened.rows()) < len(JOBS) and time.monotonic() < deadline:
                time.sleep(0.1)
            yield opened
        finally:
            server.terminate()


def test_each_job_is_a_row_with_its_values_and_final_metrics(tensorboard: Served) -> None:
    final, fid, elbo = "final/test/bits_per_dim", "final/test/fid", "vae/final/validation/elbo"
    wide = {"widths": "[8, 16]", "affine": True}
    assert tensorboard.rows() == {
        "lr=0.1": {
            "status": "STATUS_FAILURE",
            "values": {"lr": 0.1, "seed": 1, "ema": "null", **wide},
            "metrics": {},
        },
        "lr=0.0003": {
            "status": "STATUS_SUCCESS",
            "values": {"lr": 0.0003, "seed": 2, "ema": "0.99", "widths": "[8]", "affine": False},
            "metrics": {final: 2.25},
        },
        "lr=1": {
            "status": "STATUS_SUCCESS",
            "values": {"lr": 1, "seed": 3, "ema": "0.99", **wide},
            "metrics": {final: 3.5, elbo: -90},
        },
        "lr=0.001": {
            "status": "STATUS_UNKNOWN",
            "values": {"lr": 0.001, "seed": 4, "ema": "null", **wide},
            "metrics": {final: 2.75, fid: 17},
        },
    }


def test_the_columns_are_what_differs_and_all_jobs_final_metrics(tensorboard: Served) -> None:
    found = tensorboard.ask("experiment")
    kinds = {info["name"]: info["type"].removeprefix("DATA_TYPE_") for info in found["hparamInfos"]}
    assert kinds == {
        "lr": "FLOAT64",
        "seed": "FLOAT64",
        "ema": "STRING",
        "affine": "BOOL",
        "widths": "STRING",
    }
    assert all(info["differs"] for info in found["hparamInfos"])
    assert tensorboard.metrics() == [BITS, FID, ELBO]  # those of the test split first


def test_the_view_can_be_narrowed_down_by_values_and_metrics(tensorboard: Served) -> None:
    domains = {info["name"]: info for info in tensorboard.ask("experiment")["hparamInfos"]}
    assert domains["ema"]["domainDiscrete"] == ["0.99", "null"]
    assert domains["affine"]["domainDiscrete"] == [False, True]
    assert domains["lr"]["domainInterval"] == {"minValue": 0.0003, "maxValue": 1}
    chosen = [
        {"hparam": "ema", "filterDiscrete": ["0.99"]},
        {"metric": {"tag": "final/test/bits_per_dim"}, "filterInterval": {"minValue": 3, "maxValue": 4}},
    ]
    body = {"allowedStatuses": STATUSES, "startIndex": 0, "sliceSize": 9, "colParams": chosen}
    found = tensorboard.ask("session_groups", **body)
    assert [row["name"] for row in found["sessionGroups"]] == ["lr=1"]


@browser_only
def test_a_browser_shows_one_line_for_each_job(tensorboard: Served, browser: Browser) -> None:
    size = {"width": 2000, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.devtools("Emulation.setDeviceMetricsOverride", size)
    browser.call("/url", {"url": f"{tensorboard.address}/#hparams"})
    deadline = time.monotonic() + 60
    while len(lines := seen(browser)) < 1 + len(JOBS) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert lines == [
        ["Trial ID", "Show Metrics", "affine", "ema", "lr", "seed", "widths", BITS, FID, ELBO],
        ["lr=0.0003", "", "false", "0.99", "0.00030000", "2.0000", "[8]", "2.2500", "", ""],
        ["lr=0.001", "", "true", "null", "0.0010000", "4.0000", "[8, 16]", "2.7500", "17.000", ""],
        ["lr=0.1", "", "true", "null", "0.10000", "1.0000", "[8, 16]", "", "", ""],
        ["lr=1", "", "true", "0.99", "1.0000", "3.0000", "[8, 16]", "3.5000", "", "-90.000"],
    ]


def seen(browser: Browser) -> list[list[str]]:
    """The table's cells as they lie on the screen, line by line; TensorBoard keeps them in shadow trees."""
    cells = browser.js(
        "const found = [], walk = n => {"
        "  if (n.tagName === 'VAADIN-GRID-CELL-CONTENT') {"
        "    const b = n.getBoundingClientRect();"
        "    if (b.width > 0 && b.bottom > 0 && b.top < innerHeight)"
        "      found.push([Math.round(b.top + b.height / 2), b.left, n.innerText.trim()]);"
        "  }"
        "  for (const c of [...(n.shadowRoot?.children ?? []), ...n.children]) walk(c);"
        "}; walk(document.body); return found"
    )
    return [[text for *_, text in line] for _, line in groupby(sorted(cells), key=lambda cell: cell[0])]


def test_a_resumed_job_is_still_one_row_with_its_last_end(tmp_path: Path) -> None:
    folder = job(tmp_path, "lr=1", {})
    before = events(folder).read_bytes()
    table = Table(columns([{"lr": 1}, {"lr": 2}]))
    table.add(folder, {"lr": 1}, {}, "failed")
    after = events(folder).read_bytes()
    table.add(folder, {"lr": 1}, {}, "failed")
    assert events(folder).read_bytes() == after
    assert after.startswith(before)  # no position that a checkpoint holds has moved
    journal = Journal(folder)
    journal.rewind({"metrics": 0, "events": len(before)})
    journal.write("flow", 3, {"final/test/fid": 5.0})
    journal.close()
    table.add(folder, {"lr": 1}, [FID], "completed")
    row = {"status": "STATUS_SUCCESS", "values": {"lr": 1}, "metrics": {"final/test/fid": 5}}
    assert Asked(tmp_path).rows() == {"lr=1": row}


def test_a_row_that_no_resume_cut_off_is_replaced(tmp_path: Path) -> None:
    folder = job(tmp_path, "a", {BITS: 1.0})
    for status in ("stopped", "completed"):
        Table({"lr": Column("number", ())}).add(folder, {"lr": 2}, [BITS], status)
    assert Asked(tmp_path).rows()["a"]["status"] == "STATUS_SUCCESS"


def test_the_curves_stay_and_a_torn_end_hides_no_row(tmp_path: Path) -> None:
    folder = job(tmp_path, "a", {BITS: 1.0})
    curves = scalars(folder)
    assert len(curves) == 2 * 3 + 1
    whole = events(folder).read_bytes()
    for torn in (whole[:5], whole[:30], b""):
        events(folder).write_bytes(whole + torn)
        Table({"lr": Column("number", ())}).add(folder, {"lr": 2}, [BITS], "failed")
        assert scalars(folder) == curves
        assert list(Asked(tmp_path).rows()) == ["a"]


def test_a_session_lasts_from_the_first_event_to_the_last(tmp_path: Path) -> None:
    began = time.time()
    for name in ("failed", "ran"):
        (tmp_path / name).mkdir()
    journal = Journal(tmp_path / "ran")
    time.sleep(0.05)
    journal.write("flow", 1, {BITS: 1.0})
    journal.close()
    for name in ("failed", "ran"):
        Table({}).add(tmp_path / name, {}, {}, name)
    found = Asked(tmp_path).ask("session_groups", allowedStatuses=STATUSES, startIndex=0, sliceSize=9)
    failed, ran = (
        [row["sessions"][0][f"{end}TimeSecs"] for end in ("start", "end")] for row in found["sessionGroups"]
    )
    assert began <= ran[0] <= ran[1] - 0.05 <= failed[0] <= failed[1] <= time.time()


def test_jobs_of_a_search_have_columns_whose_values_are_not_known_before(tmp_path: Path) -> None:
    keys = {"lr": Column("number", ()), "kind": Column("text", ()), "decay": Column("number", (0, 1))}
    table = Table(keys)
    table.add(job(tmp_path, "0", {BITS: math.nan}), {"lr": 0.5, "kind": "a", "decay": None}, [BITS], "pruned")
    table.add(job(tmp_path, "1", {BITS: 2.0}), {"lr": 0.25, "decay": 1, "more": 3}, [BITS], "completed")
    rows = Asked(tmp_path).rows()
    assert rows["0"]["values"] == {"lr": 0.5, "kind": "a"}
    assert rows["1"]["values"] == {"lr": 0.25, "kind": "null", "decay": 1}
    assert rows["0"]["metrics"] == {"final/test/bits_per_dim": "NaN"}


def test_what_a_search_goes_by_is_the_first_metric(tmp_path: Path) -> None:
    Table({}, ELBO).add(job(tmp_path, "a", {BITS: 2.0, ELBO: -9.0}), {}, [BITS, ELBO], "completed")
    assert Asked(tmp_path).metrics() == [ELBO, BITS]


def test_no_column_comes_from_the_curves_where_no_job_reached_its_end(tmp_path: Path) -> None:
    Table(columns([{"lr": 1}, {"lr": 2}])).add(job(tmp_path, "a", {}), {"lr": 1}, {}, "failed")
    assert list(Asked(tmp_path).rows()) == ["a"]
    assert Asked(tmp_path).metrics() == []


def test_a_stage_that_only_computes_has_its_metrics_without_final(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    journal = Journal(folder)
    journal.write("fit", 0, {BITS: 1.5, "train/bits_per_dim": 2.0})
    journal.close()
    Table({"lr": Column("number", ())}).add(folder, {"lr": 1}, [BITS, "test/lost"], "completed")
    assert Asked(tmp_path).rows()["a"]["metrics"] == {BITS: 1.5}
    assert Asked(tmp_path).metrics() == [BITS]


def test_a_row_that_cannot_be_written_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    busy, damaged, free = (job(tmp_path, name, {BITS: 1.0}) for name in ("busy", "damaged", "free"))
    content = bytearray(events(damaged).read_bytes())
    content[12:30] = b"\xff" * 18
    events(damaged).write_bytes(content)
    before = {folder: events(folder).read_bytes() for folder in (busy, damaged)}
    table = Table(columns([{"lr": 1}, {"lr": 2}]))
    with locked(busy), caplog.at_level(logging.WARNING):
        for folder in (busy, damaged, tmp_path / "none", free):
            table.add(folder, {"lr": 1}, [BITS], "completed")
    assert {folder: events(folder).read_bytes() for folder in before} == before
    text = [record.getMessage() for record in caplog.records]
    named = [found[0] for line in text if (found := re.search("busy|damaged|none", line))]
    assert named == ["damaged", "none"], "a job that still runs gets its row when it has ended"
    assert set(Asked(tmp_path).rows()) == {"free"}


@pytest.mark.parametrize(
    ("values", "column"),
    [
        ([3, 1, 2], Column("number", (1, 2, 3))),
        ([0.5, 1, 1.0], Column("number", (0.5, 1))),
        ([True, False], Column("bool", (False, True))),
        ([True, 1], Column("text", ("1", "true"))),
        ([True, None], Column("text", ("null", "true"))),
        ([1, None], Column("text", ("1", "null"))),
        ([1, "auto"], Column("text", ("1", "auto"))),
        ([1e-5, "auto"], Column("text", ("1e-05", "auto"))),
        ([1.0, math.inf], Column("text", ("1.0", "Infinity"))),
        ([1.0, math.nan], Column("text", ("1.0", "NaN"))),
        ([[1, 2], (3,)], Column("text", ("[1, 2]", "[3]"))),
        ([12345, 12346], Column("number", (12345, 12346))),
        ([123456, 123457], Column("text", ("123456", "123457"))),  # both would be shown as 1.2346e+5
        ([1, 10**400], Column("text", ("1", f"1{'0' * 400}"))),
        ([0.1234561, 0.1234562], Column("number", (0.1234561, 0.1234562))),
    ],
    ids=str,
)
def test_a_column_has_one_kind(values: list[Any], column: Column) -> None:
    assert columns([{"x": value, "same": [1]} for value in values]) == {"x": column}


def test_a_key_that_a_job_lacks_is_a_column(tmp_path: Path) -> None:
    found = columns([{"a": 1, "c": "x"}, {"a": 1, "b": "y", "c": "x"}])
    assert found == {"b": Column("text", ("null", "y"))}
    assert columns([{"a": 1, "b": None}, {"a": 1.0}]) == columns([{"a": 1}]) == columns([]) == {}


def test_rows_need_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys, runner.sweep.hparams as h; from pathlib import Path; folder = Path(sys.argv[1]);"
        "h.Table(h.columns([{'a': 1}, {'a': 2}])).add(folder, {'a': 1}, [], 'failed');"
        "assert not {'torch', 'tensorflow'} & set(sys.modules)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a")]
    (tmp_path / "a").mkdir()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert list(Asked(tmp_path).rows()) == ["a"]


def test_a_sweep_itself_writes_them(tmp_path: Path) -> None:
    words = ["method=toy_flow", f"methods.path={TOYS}", "trainer.steps=4", "threads=1", "launcher=local"]
    assert cli.main(["-m", *words, "method.lr=0.01,0.001", "seed=1,2", f"outputs={tmp_path}"]) == 0
    (home,) = (tmp_path / "sweeps").iterdir()
    rows = Asked(home).rows()
    assert sorted(rows) == sorted(path.name for path in home.iterdir() if path.is_dir())
    for name, row in rows.items():
        assert f"seed={row['values']['seed']:.0f}" in name
        assert set(row["values"]) == {"method.lr", "seed"}
        result = json.loads((home / name / "result.json").read_text())
        for metric, value in result["metrics"].items():
            assert row["metrics"][f"final/{metric}"] == pytest.approx(value, rel=1e-6)
