"""Blocks that are done once each, and what is drawn in and after them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from runner.engine.compute import Blocks
from runner.errors import Stopped
from runner.signals import StopRequest


def work(folder: Path, stop_in: tuple[int, int] | None = None) -> list[float]:
    """Two series of blocks, each of which draws and writes; what is drawn afterwards comes back."""
    stop = StopRequest()
    blocks, after = Blocks(folder, "stage", 3, stop), []
    for series, count in enumerate((4, 3)):
        for block in blocks.blocks(count):
            with (folder / f"{series}-{block}").open("a") as file:
                file.write(f"{torch.rand(()).item()} ")
            if (series, block) == stop_in:
                stop.number = 15
        after.append(torch.rand(()).item())
    return after


@pytest.mark.parametrize("where", [(series, block) for series, n in enumerate((4, 3)) for block in range(n)])
def test_a_stop_at_any_block_changes_nothing(tmp_path: Path, where: tuple[int, int]) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir()
    broken.mkdir()
    expected = work(whole)
    with pytest.raises(Stopped):
        work(broken, where)
    assert work(broken) == expected
    drawn = [{p.name: p.read_text() for p in folder.glob("?-?")} for folder in (whole, broken)]
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0].values())) == 7
    assert all(len(text.split()) == 1 for text in drawn[1].values()), "a block was done twice"


def test_what_is_drawn_after_the_blocks_does_not_depend_on_who_did_them(tmp_path: Path) -> None:
    first = work(tmp_path)
    assert work(tmp_path) == first
