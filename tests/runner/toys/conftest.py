"""What the tests of the toys share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.runner.toys.runs import Nursery


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """The process that forks runs of toys; it imports torch once for all of them."""
    made = Nursery()
    yield made
    made.close()
