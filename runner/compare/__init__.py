"""The verb `run compare DIR...`: runs side by side, as a table, a picture and a page."""

from __future__ import annotations

from runner.compare.command import main

__all__ = ["main"]
