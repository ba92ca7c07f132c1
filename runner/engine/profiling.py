"""`debug=profile`: where the time of a step goes."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import torch
from torch.profiler import ProfilerActivity, profile, schedule


class Profiler:
    """Profiles steps 11 to 15 of a stage into `profile.txt` and `profile.json`; does nothing when off."""

    def __init__(self, enabled: bool, folder: Path) -> None:
        self.folder = folder
        self._profile: profile | None = None
        if enabled:
            plan = schedule(wait=5, warmup=5, active=5, repeat=1)
            activities = [ProfilerActivity.CPU]
            if torch.cuda.is_initialized():
                activities.append(ProfilerActivity.CUDA)
            self._profile = profile(
                activities=activities, schedule=plan, on_trace_ready=self._write, acc_events=True
            )

    def _write(self, result: profile) -> None:
        self.folder.mkdir(exist_ok=True)
        table = result.key_averages().table(sort_by="self_cpu_time_total", row_limit=40)
        (self.folder / "profile.txt").write_text(table)
        result.export_chrome_trace(str(self.folder / "profile.json"))

    def step(self) -> None:
        """One training step is done."""
        if self._profile is not None:
            self._profile.step()

    def __enter__(self) -> Profiler:
        if self._profile is not None:
            self._profile.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._profile is not None:
            self._profile.__exit__(kind, error, trace)
