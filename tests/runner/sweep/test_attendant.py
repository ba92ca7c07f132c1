"""The process around a job, with jobs that are no runs of ours."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.sweep.attendant import Attendant, _refusal

BEARS_CHILDREN = """
import subprocess, sys, time
child = subprocess.Popen(["sleep", "600"])
open(sys.argv[1] + "/child", "w").write(str(child.pid))
{then}
"""


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """An attendant takes signals for itself; here it runs in the tests' own process."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR2)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("Z")
    except OSError:
        return True


@pytest.mark.parametrize(
    ("then", "code"),
    [("sys.exit(3)", 3), ("time.sleep(600)", -signal.SIGTERM), ("import os; os.abort()", -6)],
)
def test_children_of_a_job_end_with_it(then: str, code: int, tmp_path: Path) -> None:
    command = (sys.executable, "-c", BEARS_CHILDREN.format(then=then))
    verdict = Attendant(str(tmp_path), limit=1.5, grace=1.0, command=command)()
    assert verdict.code == code
    assert verdict.late == ("sleep" in then)
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 5
    while not gone(child):
        assert time.monotonic() < deadline, "it lives on"
        time.sleep(0.05)


def test_what_a_crash_said_is_in_the_log_and_where_it_was(tmp_path: Path) -> None:
    script = "import os\ndef deep():\n    os.abort()\ndeep()"
    (tmp_path / "job.py").write_text(script)
    verdict = Attendant(str(tmp_path), command=(sys.executable, str(tmp_path / "job.py")))()
    assert verdict.where == "job.py, line 3, in deep"
    assert "Fatal Python error: Aborted" in (tmp_path / "run.log").read_text()


def test_an_occupied_folder_is_said_too() -> None:
    assert _refusal("x\nfailed: /runs/a is in use by another process\n") == (
        "/runs/a is in use by another process"
    )


def test_a_refusal_is_heard(tmp_path: Path) -> None:
    script = "import sys; print('error: no such thing', file=sys.stderr); sys.exit(2)"
    verdict = Attendant(str(tmp_path), command=(sys.executable, "-c", script))()
    assert (verdict.code, verdict.said) == (2, "no such thing")


def test_variables_are_set_and_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GONE", "1")
    script = "import os, sys; sys.exit(10 * ('GONE' in os.environ) + int(os.environ['N']))"
    attendant = Attendant(
        str(tmp_path), environment={"GONE": None, "N": "7"}, command=(sys.executable, "-c", script)
    )
    assert attendant().code == 7
    assert os.environ["GONE"] == "1"
