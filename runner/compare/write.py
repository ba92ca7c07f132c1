"""The three files of a comparison, each written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from runner.atomic import write_bytes
from runner.compare.against import draw_against, drawn, swept
from runner.compare.echoes import without
from runner.compare.figure import draw
from runner.compare.group import Comparison
from runner.compare.machine import as_json
from runner.compare.page import render
from runner.compare.panels import make_panels
from runner.errors import ConfigError
from runner.folder import make

CURVES = "compare.png"
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

    What has one value in every run and is in against.png has no panel in compare.png, which is not written
    where nothing is left for it. Raises `ConfigError` where the folder cannot be made or written.
    """
    panels, shown = make_panels(comparison, globs), without(comparison, metrics, globs)
    numbers = json.dumps(as_json(comparison, metrics), indent=2, default=str) + "\n"
    over = swept(comparison)
    picture = None if over is None else draw_against(over, shown)
    elsewhere = set() if over is None else set(drawn(over, shown))
    curves = [panel for panel in panels if panel.points > 1 or panel.metric not in elsewhere]
    files = {
        "compare.html": render(panels, comparison, shown, log, log_x, picture).encode(),
        "compare.json": numbers.encode(),
    }
    if picture is not None:
        files[AGAINST] = picture
    if curves or picture is None:
        files[CURVES] = draw(curves, comparison, log, log_x)
    folder = out or make(Path("outputs", "compare"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in (CURVES, AGAINST):
            (folder / name).unlink(missing_ok=True)  # of an earlier comparison
        for name, content in files.items():
            write_bytes(folder / name, content)
    except OSError as fault:
        raise ConfigError(
            f"the comparison cannot be written to {folder}: {fault.strerror or fault}"
        ) from fault
    return folder
