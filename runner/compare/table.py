"""Final metrics and configuration differences as text."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from runner.compare.differ import ABSENT, matches, show
from runner.compare.group import Comparison, Configuration
from runner.compare.layout import Column, cut, lay_out, lay_out_values
from runner.compare.words import show_status, show_steps, show_summary, show_time, show_value
from runner.errors import ConfigError, nearest

# Keys with a column of their own; where more differ, the list of differences has them all.
MOST_KEY_COLUMNS = 8
_DEFAULT_METRICS = ("test/*", "validation/*")


def chosen_metrics(comparison: Comparison, globs: Sequence[str]) -> list[str]:
    """Final metrics that match `globs`; where none does, test and validation, or all where there is neither.

    A glob may also match curves alone, which the table does not show. Raises `ConfigError` for one that
    matches nothing of any run.
    """
    known = comparison.metrics
    strange = [glob for glob in globs if not any(matches(name, [glob]) for name in known)]
    if strange:  # the logs are read only for these
        logged = {name for run in comparison.runs for name in run.logged}
        for glob in strange:
            if not any(matches(name, [glob]) for name in logged):
                near = nearest(glob, [*known, *logged])
                raise ConfigError(f"--metrics {glob} matches no metric of these runs{near}")
    for wanted in (globs, _DEFAULT_METRICS):
        if chosen := [name for name in known if matches(name, wanted)]:
            return chosen
    return known


def text_table(comparison: Comparison, metrics: Sequence[str], width: int, per_run: bool) -> str:
    """The whole report: table, errors, differences, notes; no line is wider than `width` columns."""
    columns = run_columns(comparison, metrics) if per_run else group_columns(comparison, metrics)
    lines = lay_out(columns, width)
    if any(cell.endswith("*") for column in columns for cell in column.cells):
        lines.append(cut("* latest values of runs that are not completed", width))
    lines += _section("configuration differences", lay_out_values(comparison.differences, width), width)
    lines += _section("not made alike", lay_out_values(comparison.environment, width), width)
    lines += _section("runs that failed or were stopped", _failures(comparison, width), width)
    lines += _section("notes", [cut(f"  {note}", width) for note in comparison.notes], width)
    return "\n".join(lines) + "\n"


def group_columns(comparison: Comparison, metrics: Sequence[str]) -> list[Column]:
    """One row per configuration: name, differing keys, status, steps, metrics, mean time."""
    groups = comparison.configurations
    return [
        Column("name", [group.name for group in groups]),
        *_key_columns(comparison, groups),
        Column("status", [show_status(group.runs) for group in groups]),
        Column("steps", [show_steps(group.runs) for group in groups], right=True),
        *(
            Column(name, [show_summary(group.summary(name)) for group in groups], right=True)
            for name in metrics
        ),
        Column("time", [show_time(group.counted) for group in groups], right=True),
    ]


def run_columns(comparison: Comparison, metrics: Sequence[str]) -> list[Column]:
    """One row per run, named by its folder."""
    pairs = [(group, run) for group in comparison.configurations for run in group.runs]
    runs = [run for _, run in pairs]
    return [
        Column("name", [comparison.names[run.folder] for run in runs]),
        *_key_columns(comparison, [group for group, _ in pairs]),
        Column("seed", [show(run.seed) if run.seed is not None else "-" for run in runs], right=True),
        Column("status", [run.status for run in runs]),
        Column("steps", [show_steps([run]) for run in runs], right=True),
        *(Column(name, [show_value(run, name) for run in runs], right=True) for name in metrics),
        Column("time", [show_time([run]) for run in runs], right=True),
    ]


def _key_columns(comparison: Comparison, rows: Sequence[Configuration]) -> list[Column]:
    keys = comparison.keys[:MOST_KEY_COLUMNS]
    return [Column(key, [show(row.config.get(key, ABSENT)) for row in rows]) for key in keys]


def _failures(comparison: Comparison, width: int) -> list[str]:
    failed = [run for run in comparison.runs if run.error]
    return [
        line
        for run in failed
        for line in (
            cut(f"  {comparison.names[run.folder]}", width),
            *(cut(f"    {part}", width) for part in textwrap.wrap(_one_line(run.error), max(width - 4, 20))),
        )
    ]


def _one_line(text: str | None) -> str:
    return " ".join(show(word) for word in (text or "").split())


def _section(title: str, lines: list[str], width: int) -> list[str]:
    return ["", cut(title, width), *lines] if lines else []
