"""`run -m`: composes and checks every job, writes the plan down, runs it, and prints a table."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Sequence
from itertools import chain, count
from pathlib import Path

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, IntervalSweep
from hydra.errors import HydraException

from runner import folder
from runner.compose import ALLOWED_HYDRA, Composer, normalise, parse
from runner.errors import ConfigError
from runner.search.settings import SearchSettings, sweeper_settings
from runner.settings import GROUPS, HOW
from runner.sweep.conduct import Conduct, widest
from runner.sweep.here import refuse_what_is_missing
from runner.sweep.perform import run_jobs
from runner.sweep.plan import Job, Plan
from runner.verbs.evaluate import from_checkpoint

log = logging.getLogger("reclaim")
LONGEST_NAME = 120
"""Bytes, of which a file system takes 255; in an alphabet of its own a word has up to four for a letter."""

MANY = 500
PLACES = ("outputs=", "data.", "methods.path=")


def sweep(composer: Composer, show: bool = False) -> int:
    """Checks every job, runs them all, prints the table; returns 0, 1 if one is not completed, or 128 + a
    signal's number. With `show`, only says what would be run."""
    if "RANK" in os.environ and "WORLD_SIZE" in os.environ:
        raise ConfigError(
            "-m does not go together with torchrun: start the sweep alone, or one run under torchrun"
        )
    if not composer.words:
        raise ConfigError("-m alone sweeps over nothing; say what, such as seed=1,2,3 (see run --help)")
    _refuse_swept_how(composer)
    nodes = composer.compose(how_words(composer.words)).how
    if isinstance(sweeper_settings(nodes["sweeper"]), SearchSettings):
        from runner.search.command import search

        return search(composer, show)
    jobs = expand(composer)
    if not jobs:
        raise ConfigError("there is no job to run: one of the values to sweep over is an empty range")
    twice = next((words for words in jobs if jobs.count(words) > 1), None) if len(jobs) < MANY else None
    if twice is not None:
        raise ConfigError(f"two jobs are the same, {' '.join(twice)}: one of the values is listed twice")
    if len(jobs) >= MANY:
        print(f"checking {len(jobs):,} jobs", flush=True)
    composed = [from_checkpoint(composer, words) or composer.compose(words) for words in jobs]
    asked = widest(composed[0].root, [one.root.trainer.devices for one in composed])
    how = Conduct.of(composed[0].how, how_words(composer.words), asked, len(jobs))
    planned = [Job.of(name, how.shared(one)) for name, one in zip(job_names(jobs), composed, strict=True)]
    if show:
        print("\n".join([f"{how.announced(len(jobs))}:", *(f"  {job.name}  {job.id}" for job in planned)]))
        return 0
    refuse_what_is_missing(composed, how)
    home = folder.make(Path(composed[0].root.outputs).expanduser() / "sweeps")
    Plan.of(composer, how_words(composer.words), how.threads, planned).write(home)
    return run_jobs(home, planned, how)


def _refuse_swept_how(composer: Composer) -> None:
    for override in composer.overrides:
        if override.is_sweep_override() and how_words([str(override.input_line)]):
            raise ConfigError(f"{override.key_or_group} says how all jobs are run; it cannot be swept over")
        if override.is_sweep_override() and override.key_or_group == "outputs":
            raise ConfigError("outputs says where the sweep's folder lies; it cannot be swept over")


def how_words(words: Sequence[str]) -> list[str]:
    """Those of the words that say how jobs are run, and are no part of any job."""
    nodes = tuple(f"{node}{end}" for node in HOW for end in ("=", "."))
    return [word for word in words if word.lstrip("+").startswith((*nodes, *ALLOWED_HYDRA))]


def expand(composer: Composer) -> list[list[str]]:
    """The words of each job; raises `ConfigError` if a value cannot be swept over."""
    for override in composer.overrides:
        if isinstance(override.value(), IntervalSweep):
            raise ConfigError(f"{override.input_line}: an interval is searched: add sweeper=optuna")
        if isinstance(override.value(), Glob):
            raise ConfigError(f"{override.input_line}: glob() is not known here; list the values")
    try:
        overrides = OverridesParser.create().parse_overrides(composer.words)
        batches = BasicSweeper.split_arguments(overrides, max_batch_size=None)
    except HydraException as error:
        raise ConfigError(" ".join(str(error).split())) from None
    return [[_named(word) for word in words] for batch in batches for words in batch]


def _named(word: str) -> str:
    """`debug=nan` and the like: a choice, and no number."""
    return normalise(parse([word]))[0] if word.partition("=")[0] in GROUPS else word


def _tells(word: str, jobs: Sequence[Sequence[str]]) -> bool:
    """Whether a word says something of a job; where there is only one, places and launchers do not."""
    return len(jobs) > 1 or not (word.startswith(PLACES) or how_words([word]))


def job_names(jobs: Sequence[Sequence[str]]) -> list[str]:
    """A readable folder name for each job: the words in which it differs from others."""
    common = set(jobs[0]).intersection(*jobs) if len(jobs) > 1 else set()
    names: dict[str, None] = {}
    for number, words in enumerate(jobs):
        own = (
            ",".join(word.lstrip("+~") for word in words if word not in common and _tells(word, jobs))
            or "job"
        )
        name = re.sub(r"[^\w.,=+-]+", "-", re.sub(r"['\"\[\]]", "", own))
        name = name.encode()[:LONGEST_NAME].decode(errors="ignore").strip(".-") or "job"
        free = chain((name,), (f"{name}-{i}" for i in count(number)))
        names[next(one for one in free if one not in names)] = None
    return list(names)
