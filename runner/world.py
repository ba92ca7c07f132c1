"""What the environment says of the processes that compute one run together, in the words of `torchrun`."""

from __future__ import annotations

import os

RENDEZVOUS = "RECLAIM_RENDEZVOUS"
"""A file by which the processes of one machine find each other; without it, `torchrun` has said how."""


def world() -> int:
    """How many processes there are in this run's team."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "RANK" in os.environ else 1


def follows() -> bool:
    """Whether this process belongs to a team that another one leads; it then says nothing."""
    return world() > 1 and os.environ["RANK"] != "0"


def local_rank() -> int | None:
    """The number of this process among those of its team on this machine; None for one alone."""
    return int(os.environ.get("LOCAL_RANK", os.environ["RANK"])) if world() > 1 else None
