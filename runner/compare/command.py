"""The command line of `run compare`."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from runner.compare.echoes import without
from runner.compare.find import find_runs
from runner.compare.group import Comparison, compare
from runner.compare.load import Run, load_run
from runner.compare.machine import as_csv, as_json
from runner.compare.table import chosen_metrics, text_table
from runner.errors import ConfigError

_ABOUT = """Compare runs: final metrics and configuration differences in a table; curves overlaid in one
picture and in one page for the browser. Runs that differ only in their seed are one configuration, shown as
mean and standard deviation."""

_EXAMPLES = """examples:
  run compare outputs/sweeps/DIR                 every job of a sweep
  run compare outputs/realnvp-digits/A outputs/realnvp-digits/B --metrics 'test/*'
  run compare outputs --table --per-run          one row per run, no files"""


def main(argv: list[str]) -> int:
    """Runs `run compare` with the arguments after the verb; returns the exit code.

    Raises `ConfigError` for arguments, folders or files that cannot be used.
    """
    parser = _parser()
    options = parser.parse_args(argv)
    if options.help:
        parser.print_help()
        return 0
    if not options.folders:
        raise ConfigError(
            "run compare needs the folder of a run, of a sweep, or one above them; see run compare --help"
        )
    runs, looks = trainings([load_run(folder) for folder in find_runs(options.folders)], options.folders)
    comparison = compare(runs, options.ignore)
    metrics = chosen_metrics(comparison, options.metrics)
    _say(_report(comparison, metrics, options))
    if looks:
        print(
            f"left out: {looks} of a task other than train; name their own folders to see them",
            file=sys.stderr,
        )
    if options.out is not None or not (options.table or options.json or options.csv):
        _write_files(comparison, metrics, options)
    return 0


def trainings(runs: list[Run], named: Sequence[str]) -> tuple[list[Run], int]:
    """Without what only looked at a finished run, such as task=evaluate, unless it was named or there is
    nothing else; and how many were left out."""
    given = {Path(folder).resolve() for folder in named}
    kept = [
        run
        for run in runs
        if (run.config or {}).get("task", "train") == "train" or run.folder.resolve() in given
    ]
    return (kept, len(runs) - len(kept)) if kept else (runs, 0)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"run compare: {message}; see run compare --help")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="run compare",
        description=_ABOUT,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("folders", nargs="*", metavar="DIR", help="a run's folder, a sweep's, or any folder above runs")
    add(
        "--metrics",
        action="append",
        default=[],
        metavar="GLOB",
        help="metrics to show, such as 'test/*'; repeatable",
    )
    add("--per-run", action="store_true", help="one row per run instead of one per configuration")
    add(
        "--ignore",
        action="append",
        default=[],
        metavar="GLOB",
        help="keys that make no other configuration; repeatable",
    )
    add("--log", action="store_true", help="logarithmic vertical axes where all values are positive")
    add("--log-x", action="store_true", help="logarithmic step axis")
    add(
        "--out",
        type=Path,
        metavar="DIR",
        help="where the files go (default: outputs/compare/<date>_<time>-<id>)",
    )
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--table", action="store_true", help="only the table: no files unless --out is given")
    only.add_argument(
        "--json", action="store_true", help="JSON instead of the table: no files unless --out is given"
    )
    only.add_argument(
        "--csv", action="store_true", help="CSV instead of the table: no files unless --out is given"
    )
    add("-h", "--help", action="store_true", help="show this and leave")
    return parser


def _report(comparison: Comparison, metrics: Sequence[str], options: argparse.Namespace) -> str:
    if options.json:
        return json.dumps(as_json(comparison, metrics), indent=2, default=str) + "\n"
    if options.csv:
        return as_csv(comparison, metrics, options.per_run)
    width = shutil.get_terminal_size((100, 24)).columns
    shown = without(comparison, metrics, options.metrics)
    return text_table(comparison, shown, width, options.per_run)


def _write_files(comparison: Comparison, metrics: Sequence[str], options: argparse.Namespace) -> None:
    # matplotlib and numpy are imported only now: a table alone is there at once.
    from runner.compare.write import AGAINST, CURVES, write_comparison

    known = set(comparison.notes)
    written = write_comparison(comparison, metrics, options.metrics, options.out, options.log, options.log_x)
    runs, groups = len(comparison.runs), len(comparison.configurations)
    lines = [
        *(note for note in comparison.notes if note not in known),  # found in the logs only now
        f"compared {runs} run{'s' * (runs > 1)} in {groups} configuration{'s' * (groups > 1)}",
        *([f"picture  {written / CURVES}"] if (written / CURVES).is_file() else []),
        *([f"swept    {written / AGAINST}"] if (written / AGAINST).is_file() else []),
        f"page     {written / 'compare.html'}  (open it in a browser; it needs no network)",
        f"numbers  {written / 'compare.json'}",
    ]
    _say("\n" + "\n".join(lines) + "\n", sys.stderr if options.json or options.csv else sys.stdout)


def _say(text: str, stream: Any = None) -> None:
    stream = stream or sys.stdout
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        plain = text.replace("±", "+-").replace("…", "~")
        text = plain.encode(encoding, "replace").decode(encoding)
    stream.write(text)
