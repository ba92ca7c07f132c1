"""How the processes of one run come together, and how each learns why another has gone."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from runner import device, world
from runner.compose import Composed
from runner.engine.team import Team
from runner.engine.team import join as join_team
from runner.errors import ConfigError

LOST = "another process of this run has ended"
PATIENCE = 3.0
"""Seconds in which one that fails has written down why."""


def join(composed: Composed) -> tuple[Team, Composed]:
    """The team of a run, and its configuration with the number of devices that it has.

    Raises `ConfigError` where the environment and the configuration disagree.
    """
    count, said = world.world(), composed.root.trainer.devices
    if composed.root.task != "train":
        if world.follows():
            raise SystemExit(0)  # the lead looks at the finished run alone
        return Team(), composed
    if count == 1 and said == 1:
        return Team(), composed
    if said not in (1, count):
        raise ConfigError(f"trainer.devices={said}, but {count} processes were started")
    where = device.pick(composed.root.device, world.local_rank())
    trainer = replace(composed.root.trainer, devices=count)
    config = {**composed.config, "trainer": {**composed.config["trainer"], "devices": count}}
    return join_team(where), replace(composed, root=replace(composed.root, trainer=trainer), config=config)


def lost(error: BaseException) -> bool:
    """Whether an error says no more than that another process cannot be reached."""
    import torch.distributed as dist

    if not dist.is_available() or not dist.is_initialized():
        return False
    text = str(error).lower()
    signs = ("connection closed by peer", "connection reset", "broken pipe", "gloo", "nccl")
    return isinstance(error, RuntimeError) and any(sign in text for sign in signs)


def leave(team: Team, place: Path, error: str | None) -> str | None:
    """Ends the team; returns what went wrong, as the process says in which it did."""
    if error is None:
        team.leave()
    elif not team.lead and error != LOST:
        _note(place, team.rank).write_text(error, encoding="utf-8")
    return _reason(team, place) or error if team.lead and error == LOST else error


def _note(place: Path, rank: int) -> Path:
    return place / f".process-{rank}"


def _reason(team: Team, place: Path) -> str | None:
    """What another process has written down, which is then removed."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for rank in range(1, team.size):
            with suppress(OSError):
                text = _note(place, rank).read_text(encoding="utf-8")
                _note(place, rank).unlink()
                return f"process {rank}: {text}"
        time.sleep(0.05)
    return None
