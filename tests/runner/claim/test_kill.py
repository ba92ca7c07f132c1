"""A claim whose command is killed goes on where it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.runner.claim.test_command import Place
from tests.runner.conftest import Run
from tests.runner.sweep.test_processes import begun_to_learn, kill, start, wait_for


@pytest.mark.parametrize("launcher", ["local", pytest.param("process", marks=pytest.mark.slow)])
def test_a_killed_claim_goes_on(launcher: str, run: Run, environment: dict[str, str], tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.write(
        "slow",
        base=["method=toy_faulty", "method.pause=0.2", "trainer.steps=12", "trainer.checkpoint_every=4"],
        arms={"long": ["method.lr=0.1"], "short": ["method.lr=0.01"]},
        metric="test/mse",
        seeds=[1, 2],
    )
    words = ["claim", "toys/slow", *place.words, f"outputs={tmp_path}/out", f"launcher={launcher}"]
    home = tmp_path / "out" / "claims"
    first = start(environment, *words)
    wait_for(lambda: home.is_dir() and begun_to_learn(home) >= 1)
    kill(first)
    assert not place.docs.exists()
    done = run(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert place.kept("slow")["verdict"] != "not run"
    ends = [log.read_text().count("curves:") for log in home.glob("*/run.log")]
    assert ends == [1, 1, 1, 1]
    again = run(*words)
    assert "job" not in again.stdout
    assert json.loads((place.docs / "toys" / "slow.json").read_text())["verdict"] in again.stdout.lower()
