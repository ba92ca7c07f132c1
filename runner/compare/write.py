"""The three files of a comparison, each written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from runner.atomic import write_bytes
from runner.compare.against import draw_against, swept
from runner.compare.figure import draw
from runner.compare.group import Comparison
from runner.compare.machine import as_json
from runner.compare.page import render
from runner.compare.panels import make_panels
from runner.errors import ConfigError
from runner.folder import make

AGAINST = "against.png"


def write_comparison(
    comparison: Comparison,
    metrics: Sequence[str],
    globs: Sequence[str],
    out: Path | None,
    log: bool,
    log_x: bool,
) -> Path:
    """Writes compare.png, compare.html and compare.json, and against.png where a number was swept; returns
    their folder.

    Raises `ConfigError` where the folder cannot be made or written.
    """
    panels = make_panels(comparison, globs)
    numbers = json.dumps(as_json(comparison, metrics), indent=2, default=str) + "\n"
    over = swept(comparison)
    picture = None if over is None else draw_against(over, metrics)
    files = {
        "compare.png": draw(panels, comparison, log, log_x),
        "compare.html": render(panels, comparison, metrics, log, log_x, picture).encode(),
        "compare.json": numbers.encode(),
    }
    if picture is not None:
        files[AGAINST] = picture
    folder = out or make(Path("outputs", "compare"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / AGAINST).unlink(missing_ok=True)  # of an earlier comparison
        for name, content in files.items():
            write_bytes(folder / name, content)
    except OSError as fault:
        raise ConfigError(
            f"the comparison cannot be written to {folder}: {fault.strerror or fault}"
        ) from fault
    return folder
