"""The hands lent to a `ComputeStage`: a folder that survives kills, and blocks that are done once each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from runner import atomic
from runner.engine.progress import Progress
from runner.engine.seeding import Stream
from runner.signals import StopRequest


class Blocks:
    """The `Work` of one stage; see `runner.api.Work`."""

    def __init__(self, folder: Path, stage: str, seed: int, stop: StopRequest) -> None:
        self.dir, self._stop, self._stage = folder, stop, stage
        self._stream = Stream(seed, stage, "block")
        self._record = folder / "blocks.json"
        self._series = 0

    def blocks(self, count: int, flush: Callable[[], None] | None = None) -> Iterator[int]:
        """See `runner.api.Work.blocks`; a stage may go through several series of blocks one after another."""
        series, self._series = str(self._series), self._series + 1
        done = self._done()
        first = done.get(series, 0)
        progress = Progress(self._stage, first, count)
        try:
            for block in range(first, count):
                self._stop.check()
                self._stream.seed((int(series) << 24) + block)
                yield block
                if flush is not None:
                    flush()
                atomic.write_json(self._record, {**done, series: block + 1})
                progress.advance()
        finally:
            progress.close()
        self._stop.check()
        self._stream.seed((int(series) << 24) + count)  # the same whether or not a block was done just now

    def _done(self) -> dict[str, int]:
        return dict(json.loads(self._record.read_text())) if self._record.is_file() else {}
