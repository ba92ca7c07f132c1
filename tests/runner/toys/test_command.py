"""The toys through the installed command, in processes of their own."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.runner.toys.results import differences, snapshot, the_run
from tests.runner.toys.runs import COMMON, TOYS, Nursery

COMMAND = str(Path(sys.executable).parent / "run")


def start(place: Path, *words: str, **variables: str) -> subprocess.Popen[bytes]:
    """Begins `run WORDS...` in a process group of its own."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **variables}
    log = (place / "log").open("ab")
    return subprocess.Popen(
        [COMMAND, *words], env=environment, stdout=log, stderr=log, cwd=place, start_new_session=True
    )


def logged(place: Path) -> int:
    """Lines that the runs below `place` have logged."""
    return sum(log.read_bytes().count(b"\n") for log in place.glob("outputs/*/*/metrics.jsonl"))


@pytest.mark.parametrize("method", ["toy_pipeline", pytest.param("toy_gan", marks=pytest.mark.slow)])
def test_the_command_is_killed_at_random_times_and_resumed(
    nursery: Nursery, tmp_path: Path, method: str
) -> None:
    places = [tmp_path / name for name in ("whole", "killed")]
    words = [*COMMON, f"method={method}", "trainer.steps=30", "outputs=outputs"]
    for place in places:
        place.mkdir()
    dice = random.Random(method)
    whole = [*words, f"data.cache={places[0] / 'cache'}"]
    assert nursery.run(whole, places[0] / "log", cwd=places[0]) == 0
    command, lines = [*words, f"data.cache={places[1] / 'cache'}"], 0
    for number, code in ((signal.SIGTERM, 143), (signal.SIGKILL, -9)):
        process, lines = start(places[1], *command), lines + dice.randrange(3, 7)
        while logged(places[1]) < lines:
            assert process.poll() is None
            time.sleep(0.005)
        os.killpg(process.pid, number)
        assert process.wait(60) == code, (places[1] / "log").read_text()
        command = ["resume", str(the_run(places[1] / "outputs"))]
    assert nursery.run(command, places[1] / "log") == 0
    left = [snapshot(the_run(place / "outputs"), place / "cache") for place in places]
    assert differences(*left) == []


def test_methods_of_an_installed_package_are_found(tmp_path: Path) -> None:
    info = tmp_path / "site" / "toys-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toys\nVersion: 1.0\n")
    names = ("toy_flow", "toy_points")
    points = "".join(f"{name} = {name}\n" for name in names)
    (info / "entry_points.txt").write_text(f"[reclaim.methods]\n{points}")
    words = [word for word in COMMON if not word.startswith("methods.path")]
    words += ["method=toy_flow", "outputs=outputs", f"data.cache={tmp_path / 'cache'}"]
    path = os.pathsep.join((str(tmp_path / "site"), str(TOYS)))
    assert start(tmp_path, *words, PYTHONPATH=path).wait(120) == 0, (tmp_path / "log").read_text()
    assert (the_run(tmp_path / "outputs") / "checkpoints" / "best.pt").is_file()
