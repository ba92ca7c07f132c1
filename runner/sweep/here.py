"""What a sweep's jobs would find missing on this machine, said before the first of them begins."""

from __future__ import annotations

from collections.abc import Iterable

from datasets.fetch import refuse_missing
from datasets.types import DataError
from runner.access import access
from runner.compose import Composed
from runner.errors import ConfigError
from runner.sweep.conduct import Conduct
from runner.sweep.settings import LocalSettings, ProcessSettings


def refuse_what_is_missing(jobs: Iterable[Composed], how: Conduct) -> None:
    """Raises `ConfigError` for a device or data that jobs of this machine need and it has not."""
    if not isinstance(how.launcher, LocalSettings | ProcessSettings):
        return  # the jobs' machine is another, or may be
    jobs = list(jobs)
    asked = {(job.root.device, job.root.trainer.devices > 1) for job in jobs} - {("auto", False)}
    for device, several in sorted(asked):
        if device.partition(":")[0] in ("cuda", "mps"):
            from runner.device import pick

            pick(device, rank=0 if several else None)
    cpu = all(job.root.device == "cpu" for job in jobs)
    if isinstance(how.launcher, ProcessSettings) and how.launcher.devices is not None and not cpu:
        _refuse_pool(how.launcher.devices)
    for job in {(str(job.dataset_config), job.choices["dataset"]): job for job in jobs}.values():
        try:
            refuse_missing(job.dataset.entry, job.dataset_config, access(job.root))
        except DataError as error:
            raise ConfigError(str(error)) from None


def _refuse_pool(devices: tuple[int, ...] | tuple[str, ...]) -> None:
    import torch

    if not torch.cuda.is_available():
        listed = ",".join(map(str, devices))
        raise ConfigError(f"launcher.devices=[{listed}]: CUDA is not available here")
