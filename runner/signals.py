"""SIGTERM and Ctrl-C: asked once, a run saves and stops at its next boundary; asked twice, it stops at
once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from runner.errors import Stopped

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopRequest:
    """Whether a stop was asked for; `check` is called wherever a run can stop without loss."""

    def __init__(self) -> None:
        self.number: int | None = None

    def receive(self, number: int, frame: FrameType | None) -> None:
        """The signal handler."""
        if self.number is not None:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self.number = number

    def check(self) -> None:
        """Raises `Stopped` if a stop was asked for."""
        if self.number is not None:
            raise Stopped(self.number)

    @contextmanager
    def listening(self) -> Iterator[StopRequest]:
        """Handles the signals inside; does nothing outside the main thread, where Python allows no
        handlers."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before = {number: signal.signal(number, self.receive) for number in SIGNALS}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
