"""What a sweep is to do: its jobs with their whole configurations, written down before the first begins."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from runner import atomic, folder
from runner.compose import Composed, Composer, methods_path, parse
from runner.errors import ConfigError, os_sentence
from runner.identity.parts import identity
from runner.settings import flat

NAME = folder.SWEEP
TAKEN = (NAME, "ledger.jsonl", "search.db", "figures")
"""Names in a sweep's folder that no job can have."""

MOVABLE = ("data.", "outputs", "threads", "trainer.devices", "methods.path")
"""Settings that a resumed job may have otherwise than its plan."""

RENEWED = ("threads", "methods.path")
"""Those of them that the plan knows better."""


@dataclass(frozen=True)
class Job:
    """One run of a sweep.

    Attributes:
        name: its folder within the sweep's.
        id: hash of its configuration, data, code and versions; see `runner.identity`.
        config, choices, overrides: what its `config.yaml` says.
    """

    name: str
    id: str
    config: dict[str, Any]
    choices: dict[str, str]
    overrides: tuple[str, ...]

    @classmethod
    def of(cls, name: str, composed: Composed) -> Job:
        """The job of a checked configuration."""
        return cls(name, identity(composed), composed.config, composed.choices, composed.overrides)

    def with_threads(self, threads: int) -> Job:
        """The same job with so many threads."""
        return replace(self, config={**self.config, "threads": threads})

    def prepare(self, home: Path) -> Path:
        """Its folder below `home`, with its configuration.

        What is damaged is written anew, or set aside; raises `ConfigError` if the folder is another job's.
        """
        place = home / self.name
        try:
            place.mkdir(exist_ok=True)
            if place.is_symlink():
                raise ConfigError(f"{place} cannot be a job's folder: it is a link")
            if not self._holds(place):
                folder.write_config(place, self.config, self.choices, self.overrides)
            _set_aside_damaged(place)
        except OSError as error:
            raise ConfigError(f"{place} cannot be a job's folder: {os_sentence(error)}") from error
        return place

    def _holds(self, place: Path) -> bool:
        """Whether the folder has this job's configuration; False where it has none that can be read, or one
        that is to be renewed."""
        try:
            config, choices, _ = folder.read_config(place)
        except ConfigError:
            return False
        there, mine = {**flat(config), **choices}, {**flat(self.config), **self.choices}
        for key in {**mine, **there}:
            if there.get(key) != mine.get(key) and not key.startswith(MOVABLE):
                said = f"its {key} is {there.get(key)}, not {mine.get(key)}"
                raise ConfigError(f"{place} is the folder of another job: {said}")
        return all(there.get(key) == mine.get(key) for key in RENEWED)


@dataclass(frozen=True)
class Plan:
    """The `sweep.json` of a sweep.

    Attributes:
        words: the words of the command.
        config_dirs: its `--config-dir` folders.
        how: those of the words that say how the jobs are run, which a resume may add to.
        jobs: all jobs; of a search, none.
        threads: the share of the cores that jobs were given which do not say how many threads they want.
    """

    words: tuple[str, ...]
    config_dirs: tuple[str, ...]
    how: tuple[str, ...]
    jobs: list[Job] = field(default_factory=list)
    threads: int | None = None

    @classmethod
    def of(
        cls, composer: Composer, how: Sequence[str], threads: int | None, jobs: Sequence[Job] = ()
    ) -> Plan:
        """The plan of a command. Paths become absolute, since a resume may begin in another folder."""
        folders = ",".join(f"'{place}'" for place in composer.registry.folders)
        words = [
            f"methods.path=[{folders}]" if word.startswith("methods.path=") else word
            for word in composer.words
        ]
        dirs = tuple(str(place) for place in composer.config_dirs)
        return cls(tuple(words), dirs, tuple(how), list(jobs), threads)

    def divided(self, threads: int | None) -> list[Job]:
        """The jobs where those that were given a share of the cores get another."""
        if threads is None or self.threads is None or threads == self.threads:
            return self.jobs
        own = [any(word.startswith("threads=") for word in job.overrides) for job in self.jobs]
        return [
            job if says or job.config.get("threads") != self.threads else job.with_threads(threads)
            for job, says in zip(self.jobs, own, strict=True)
        ]

    def write(self, home: Path) -> None:
        """Writes the file. Jobs have most of their configuration in common, which is written once."""
        base = self.jobs[0].config if self.jobs else {}
        jobs = [
            {**vars(job), "config": {k: v for k, v in job.config.items() if k not in base or base[k] != v}}
            for job in self.jobs
        ]
        head = {
            "words": self.words, "config_dirs": self.config_dirs, "how": self.how, "threads": self.threads
        }  # fmt: skip
        atomic.write_json(home / NAME, {**head, "base": base, "jobs": jobs})


def _set_aside_damaged(place: Path) -> None:
    """A result that cannot be read says nothing; the job goes on from its checkpoint."""
    try:
        folder.read_result(place)
    except ConfigError:
        (place / folder.RESULT).rename(place / f"{folder.RESULT}.damaged")


def is_sweep(home: Path) -> bool:
    """Whether `home` is the folder of a sweep."""
    return (home / NAME).is_file()


def read(home: Path) -> Plan:
    """The plan of the sweep in `home`; raises `ConfigError` if it is damaged."""
    path = home / NAME
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        jobs = [_job(saved["base"], one) for one in saved["jobs"]]
        texts: Sequence[Sequence[str]] = [saved["words"], saved["config_dirs"], saved["how"]]
        if not all(isinstance(word, str) for words in texts for word in words):
            raise ValueError("it is not what a sweep writes")
        words, config_dirs, how = (tuple(one) for one in texts)
        for paths in [methods_path(parse(words)), *(job.config["methods"]["path"] for job in jobs)]:
            folder.refuse_code_within(home, paths)
        if len({job.name for job in jobs}) < len(jobs):
            raise ValueError("two jobs have one name")
        if not jobs and not any(word.startswith("sweeper=") for word in how):
            raise ValueError("it lists no jobs")
        threads = saved.get("threads")
        if not (threads is None or (type(threads) is int and threads > 0)):
            raise ValueError("threads is no number of threads")
        return Plan(words, config_dirs, how, jobs, threads)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ConfigError) as error:
        raise ConfigError(f"{path} is damaged: {' '.join(str(error).split())}") from error


def _job(base: Mapping[str, Any], saved: Mapping[str, Any]) -> Job:
    name = str(saved["name"])
    if not name or Path(name).name != name or name.startswith(".") or name in TAKEN:
        raise ValueError(f"{name} is no name of a job")
    overrides = tuple(map(str, saved["overrides"]))
    return Job(name, str(saved["id"]), {**base, **saved["config"]}, dict(saved["choices"]), overrides)
