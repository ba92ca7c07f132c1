"""Jobs through a launcher of Hydra's own or of one of its plugins, such as joblib's."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException

from runner.errors import ConfigError
from runner.registry import CONF
from runner.signals import StopRequest
from runner.sweep.attendant import Verdict
from runner.sweep.engines import run_here
from runner.sweep.plan import Job

log = logging.getLogger("reclaim")


@dataclass
class Task:
    """What the launcher calls, in this process or another: runs the job whose number Hydra gives."""

    places: list[Path]
    words: tuple[str, ...]

    def __call__(self, config: Any) -> int:
        from runner import console

        console.start()
        number = int(HydraConfig.get().job.num)
        with StopRequest().listening() as stop:
            return run_here(self.places[number], stop, self.words)


class Stock:
    """Runs all jobs that it is given at once, as its launcher sees fit, and then returns.

    Hydra is told no more than how many jobs there are and which launcher to use, since everything else is
    composed and checked already. What it makes objects from is thus none of the user's files.
    """

    outlives = False

    def __init__(self, home: Path, how: Sequence[str], words: Sequence[str], capacity: int) -> None:
        self._home, self._how, self._words, self.capacity = home, list(how), tuple(words), capacity
        self._done: list[tuple[Job, Verdict]] = []

    def start(self, jobs: Sequence[Job]) -> dict[str, str | None]:
        task = Task([(self._home / job.name).resolve() for job in jobs], self._words)
        words = [
            f"seed={','.join(str(number) for number in range(len(jobs)))}",
            f"hydra.sweep.dir={_literal(str(self._home.resolve()))}",
            "hydra.sweep.subdir=.",
            "hydra.output_subdir=null",
            "hydra/hydra_logging=none",
            "hydra/job_logging=none",
            *self._how,
        ]
        self._launch(task, words)
        self._done += [(job, Verdict()) for job in jobs]
        return dict.fromkeys((job.name for job in jobs), None)

    def _launch(self, task: Task, words: list[str]) -> None:
        GlobalHydra.instance().clear()
        try:
            with initialize_config_dir(str(CONF), version_base="1.3", job_name="run"):
                hydra = GlobalHydra.instance().hydra
                assert hydra is not None
                hydra.multirun("config", task, words, with_log_configuration=False)
        except HydraException as error:
            raise ConfigError(" ".join(str(error).split())) from None
        except Exception as error:  # a worker of the launcher died; the jobs' own folders say which are done
            log.error("the launcher failed: %s: %s", type(error).__name__, " ".join(str(error).split()))

    def adopt(self, job: Job, handle: str) -> bool:
        return False

    def ended(self) -> list[tuple[Job, Verdict]]:
        done, self._done = self._done, []
        return done

    def stop(self, job: Job) -> None:
        """Has ended when `start` returns."""

    def close(self) -> None:
        """There is nothing to leave."""


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
