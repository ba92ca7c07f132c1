"""`run -m`: one run for each combination of values, through Hydra's sweeper and launcher, and a table at the
end."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Sequence
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra import initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from runner import folder
from runner.compose import ALLOWED_HYDRA, Composed, Composer
from runner.errors import ConfigError
from runner.registry import CONF
from runner.signals import StopRequest
from runner.verbs.evaluate import from_checkpoint

if TYPE_CHECKING:
    from runner.run import Outcome

log = logging.getLogger("reclaim")
LONGEST_NAME = 120
COLUMNS = ("job", "status", "metric", "seconds", "error")


def sweep(composer: Composer) -> int:
    """Checks every job, runs them all, prints the table; returns 0, 1 if a job failed, or 128 + a signal's
    number."""
    if "RANK" in os.environ and "WORLD_SIZE" in os.environ:
        raise ConfigError(
            "-m does not go together with torchrun: start the sweep alone, or one run under torchrun"
        )
    jobs = expand(composer)
    composed = [from_checkpoint(composer, words) or composer.compose(words) for words in jobs]
    names = job_names(jobs)
    home = folder.make(Path(composed[0].root.outputs).expanduser() / "sweeps")
    with StopRequest().listening() as stop:
        outcomes = launch(composer, composed, names, home, stop)
    print_table(names, composed, outcomes)
    log.info("compare: run compare %s", home)
    if stop.number is not None:
        return 128 + stop.number
    return int(any(outcome.status != "completed" for outcome in outcomes))


def expand(composer: Composer) -> list[list[str]]:
    """The words of each job; raises `ConfigError` if a value cannot be swept over."""
    try:
        overrides = OverridesParser.create().parse_overrides(composer.words)
        batches = BasicSweeper.split_arguments(overrides, max_batch_size=None)
    except HydraException as error:
        raise ConfigError(" ".join(str(error).split())) from None
    return [list(words) for batch in batches for words in batch]


def job_names(jobs: Sequence[Sequence[str]]) -> list[str]:
    """A readable folder name for each job: the words in which it differs from others."""
    common = set(jobs[0]).intersection(*jobs) if len(jobs) > 1 else set()
    names: list[str] = []
    for number, words in enumerate(jobs):
        own = ",".join(word.lstrip("+~") for word in words if word not in common) or "job"
        name = re.sub(r"[^\w.,=+-]+", "-", own)[:LONGEST_NAME].strip(".-") or "job"
        free = chain((name,), (f"{name}-{i}" for i in count(number)))
        names.append(next(one for one in free if one not in names))
    return names


def launch(
    composer: Composer, composed: Sequence[Composed], names: Sequence[str], home: Path, stop: StopRequest
) -> list[Outcome]:
    """Runs the jobs through Hydra's launcher; a job that fails is its own affair.

    Hydra is told no more than how many jobs there are and which launcher to use, since everything else is
    composed and checked already. What it makes objects from is thus none of the user's files.
    """
    from runner import console
    from runner.run import Outcome, execute

    console.start()
    outcomes: list[Outcome] = [Outcome(status="not run", code=1) for _ in composed]

    def task(config: Any) -> None:
        number = int(HydraConfig.get().job.num)
        if stop.number is not None:
            return
        log.info("\njob %d/%d: %s", number + 1, len(names), names[number])
        place = home / names[number]
        place.mkdir(exist_ok=True)
        outcomes[number] = execute(composed[number], stop, place)

    words = [
        f"seed={','.join(str(number) for number in range(len(composed)))}",
        f"hydra.sweep.dir={_literal(str(home.resolve()))}",
        "hydra.sweep.subdir=.",
        "hydra.output_subdir=null",
        "hydra/hydra_logging=none",
        "hydra/job_logging=none",
        *(word for word in composer.words if word.lstrip("+").startswith(ALLOWED_HYDRA)),
    ]
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(CONF), version_base="1.3", job_name="run"):
            hydra = GlobalHydra.instance().hydra
            assert hydra is not None
            hydra.multirun("config", task, words, with_log_configuration=False)
    except HydraException as error:
        raise ConfigError(" ".join(str(error).split())) from None
    return outcomes


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def print_table(names: Sequence[str], composed: Sequence[Composed], outcomes: Sequence[Outcome]) -> None:
    """One row for each job: name, status, its first test metric, time and error."""
    rows = [COLUMNS]
    for name, outcome in zip(names, outcomes, strict=True):
        rows.append((name, outcome.status, _metric(outcome), f"{outcome.seconds:.1f}", outcome.error or ""))
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS) - 1)]
    log.info("")
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        log.info("  ".join([*cells, row[-1]]).rstrip())


def _metric(outcome: Outcome) -> str:
    for split in ("test/", "validation/", ""):
        for name, value in outcome.metrics.items():
            if name.startswith(split):
                return f"{name} {value:.4f}"
    return "-"
