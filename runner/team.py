"""`trainer.devices=N`: starts the N processes of one run on this machine, as `torchrun` would, and sees to
them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runner import processes
from runner.cores import cores
from runner.errors import ConfigError
from runner.signals import StopRequest
from runner.world import RENDEZVOUS, world

if TYPE_CHECKING:
    from runner.compose import Composed

POLL = 0.05
GRACE = 10.0
"""Seconds that the others have to notice that a process of their team has ended."""

LOOPBACK = "lo" if Path("/sys/class/net/lo").exists() else None


def wanted(composed: Composed) -> bool:
    """Whether a run wants processes that nobody has started yet."""
    root = composed.root
    return root.trainer.devices > 1 and root.task == "train" and world() == 1


def several(words: Sequence[str], composed: Composed) -> int:
    """Runs `run WORDS...` in as many processes as `composed` wants devices; returns the exit code."""
    count = composed.root.trainer.devices
    size = composed.dataset_config.batch_size
    if size < count:
        raise ConfigError(f"dataset.batch_size={size} cannot be divided among trainer.devices={count}")
    threads = composed.root.threads or int(os.environ.get("OMP_NUM_THREADS") or max(1, cores() // count))
    with tempfile.TemporaryDirectory() as place, StopRequest().listening() as stop:
        common = {
            RENDEZVOUS: str(Path(place) / "rendezvous"),
            "WORLD_SIZE": str(count),
            "LOCAL_WORLD_SIZE": str(count),
            "OMP_NUM_THREADS": str(threads),
            "GLOO_SOCKET_IFNAME": LOOPBACK,  # all of them are here: none listens to the network
            "NCCL_SOCKET_IFNAME": LOOPBACK,
        }
        team = [_start(rank, words, common) for rank in range(count)]
        first = _see_to(team, stop)
    if first is not None and team[first].returncode < 0:
        print(f"process {first} was ended by {signal.Signals(-team[first].returncode).name}", file=sys.stderr)
    code = _code(team)
    return 128 + stop.number if stop.number is not None and code == 128 + signal.SIGTERM else code


def _start(rank: int, words: Sequence[str], common: dict[str, str | None]) -> subprocess.Popen[bytes]:
    numbers = {"RANK": str(rank), "LOCAL_RANK": str(rank)}
    output = None if rank == 0 else subprocess.DEVNULL
    return processes.start([*processes.RUN, *words], {**common, **numbers}, output, output)


def _see_to(team: Sequence[subprocess.Popen[bytes]], stop: StopRequest) -> int | None:
    """Waits for all; passes a stop on; ends the others some time after one has failed, which is returned."""
    told, deadline, first = False, float("inf"), None
    while any(process.poll() is None for process in team):
        if stop.number is not None and not told:
            told = True
            for process in team:
                process.send_signal(signal.SIGTERM)
        if deadline == float("inf") and any(process.poll() for process in team):
            deadline = time.monotonic() + GRACE
            first = next(rank for rank, process in enumerate(team) if process.poll())
        if time.monotonic() > deadline:
            for process in team:
                process.kill()
        time.sleep(POLL)
    return first


def _code(team: Sequence[subprocess.Popen[bytes]]) -> int:
    """The lead's exit code; where it was killed for another's sake, that one's."""
    lead, *others = [process.returncode for process in team]
    if lead >= 0:
        return lead
    failed = [code for code in others if code > 0]
    return failed[0] if failed else 128 - lead
