"""`run resume SWEEP_DIR`: runs what of a sweep is missing or failed; what is completed stays."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from runner.cli import quoted
from runner.compose import Composed, Composer, checked, parse
from runner.errors import ConfigError
from runner.identity.parts import identity
from runner.registry import Registry
from runner.settings import RootSettings
from runner.sweep import plan
from runner.sweep.command import how_words
from runner.sweep.conduct import Conduct, widest
from runner.sweep.ledger import Ledger
from runner.sweep.perform import run_jobs
from runner.sweep.plan import Job, Plan


def resume(home: Path, words: Sequence[str]) -> int:
    """Runs the jobs of the sweep in `home` that are not completed; returns the exit code as `run -m` does.

    `words` may say anew how they are run (`launcher=`, `sweep.retries=` ...) and where data lies.
    """
    saved = plan.read(home)
    words = [quoted(word) for word in words]
    _refuse_others(words)
    data = tuple(word for word in words if word.startswith("data."))
    said = [*_still(saved.how, words), *how_words(words)]
    if not saved.jobs:
        from runner.search.command import take_up

        return take_up(home, saved, said, data, lambda how: _refuse_saved_shell(how, words))
    nodes = Composer(said, [Path(place) for place in saved.config_dirs]).compose().how
    how = replace(Conduct.of(nodes, said, _asked(saved), len(saved.jobs)), data=data)
    _refuse_saved_shell(how, words)
    jobs = saved.divided(how.threads)
    ledger = Ledger(home, {job.name: job.overrides for job in jobs})
    left = [job for job in jobs if ledger.state(job.name).status != "completed"]
    ledger.close()
    if not left:
        print(f"{home} is completed, {len(jobs)} jobs; nothing to do")
        return 0
    if len(left) < len(jobs):
        print(f"{len(jobs) - len(left)} of {len(jobs)} jobs are completed")
    _compare_code(next(job for job in saved.jobs if job.name == left[0].name))
    return run_jobs(home, jobs, how)


def _asked(saved: Plan) -> RootSettings:
    """What jobs ask for, without the share of the cores that they were given when the sweep began."""
    job = saved.jobs[0]
    root = widest(_composed(job).root, [one.config["trainer"]["devices"] for one in saved.jobs])
    given = saved.threads is not None and not any(word.startswith("threads=") for word in job.overrides)
    return replace(root, threads=None) if given and root.threads == saved.threads else root


def _refuse_saved_shell(how: Conduct, words: Sequence[str]) -> None:
    """A sweep's folder may come from somebody else; shell lines are run only for who says them."""
    lines = list(getattr(how.launcher, "setup", ()))
    if lines and not any(word.startswith("launcher.setup=") for word in words):
        again = f"launcher.setup={json.dumps(lines)}"
        raise ConfigError(f"this sweep runs shell lines before each job: say them again, '{again}'")


def _refuse_others(words: Sequence[str]) -> None:
    parse(words)
    for word in words:
        if not how_words([word]) and not word.startswith("data."):
            raise ConfigError(
                f"{word} cannot be changed when a sweep is resumed; only how its jobs are made and run "
                f"(sweeper.*, launcher=, launcher.*, sweep.*) and where data lies (data.*) can"
            )


def _still(planned: Sequence[str], words: Sequence[str]) -> list[str]:
    """The planned words that make sense beside the new ones: keys of a launcher go with its choice."""
    if any(word.startswith(("launcher=", "hydra/launcher=")) for word in words):
        return [word for word in planned if not word.startswith(("launcher", "hydra"))]
    return list(planned)


def _composed(job: Job) -> Composed:
    paths = tuple(Path(path) for path in job.config["methods"]["path"])
    return checked(job.config, job.choices, job.overrides, Registry(paths))


def _compare_code(job: Job) -> None:
    """Says so if code or data are no longer those that the sweep was planned with."""
    if identity(_composed(job)) != job.id:
        print("code, data or versions have changed since the sweep began; what is left runs with today's")
