"""Runs that look like real ones: three configurations of three seeds, one failed, one running."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

RATES = (0.001, 0.0003, 0.0001)
SEEDS = (1, 2, 3)


class RunWriter:
    """Writes a run's folder as the runner does; its static methods make what goes into one."""

    def __init__(self, parent: Path) -> None:
        self.parent = parent

    def __call__(
        self,
        name: str,
        *,
        config: dict[str, Any] | None = None,
        rows: list[dict[str, Any]] | None = None,
        result: dict[str, Any] | None = None,
        tail: str = "",
    ) -> Path:
        folder = self.parent / name
        folder.mkdir(parents=True)
        if config is not None:
            (folder / "config.yaml").write_text(yaml.safe_dump(config))
        if rows is not None:
            lines = "".join(json.dumps(row) + "\n" for row in rows)
            (folder / "metrics.jsonl").write_text(lines + tail)
        if result is not None:
            (folder / "result.json").write_text(json.dumps(result))
        return folder

    @staticmethod
    def finished(seed: int, metrics: dict[str, float], **more: Any) -> dict[str, Any]:
        """A result as the runner writes it."""
        result: dict[str, Any] = {
            "status": "completed",
            "error": None,
            "method": "realnvp",
            "dataset": "digits",
        }
        result |= {"seed": seed, "overrides": [], "metrics": metrics, "steps": 2000, "seconds": 81.5}
        return result | {"device": "cpu", "parameters": 51234} | more

    @staticmethod
    def settings(seed: int, rate: float = 0.001, **more: Any) -> dict[str, Any]:
        """A resolved configuration, nested as the runner's are."""
        method = {"lr": rate, "width": 32, "scales": 2, "coupling": "affine"} | more
        choices = {"method": "realnvp", "dataset": "digits", "preset": "none"}
        return {
            "choices": choices,
            "seed": seed,
            "device": "cpu",
            "outputs": f"outputs/{seed}",
            "threads": seed,
            "method": method,
        }

    @staticmethod
    def curve(seed: int, rate: float, last: int = 2000, every: int = 20) -> list[dict[str, Any]]:
        """A noisy descent in bits per dimension, with a validation value at every tenth line."""
        noise = random.Random(seed * 1000 + round(rate * 1e5))
        rows: list[dict[str, Any]] = []
        for step in range(every, last + 1, every):
            speed = 220 + 90 * abs(math.log(rate / 0.0003))
            loss = 1.95 + 0.02 * abs(math.log(rate / 0.0003)) + 2.4 * math.exp(-step / speed)
            row = {
                "train/bits_per_dim": loss + noise.gauss(0, 0.07),
                "train/grad_norm": 9 * math.exp(noise.gauss(-1, 0.5)),
            }
            rows.append({"stage": "train", "step": step} | row | {"train/lr": rate})
            if step % (every * 10) == 0:
                value = loss + 0.05 + 1.2e-5 * step + noise.gauss(0, 0.015)
                rows.append({"stage": "train", "step": step, "validation/bits_per_dim": value})
        return rows


@pytest.fixture
def write_run(tmp_path: Path) -> RunWriter:
    return RunWriter(tmp_path / "runs")


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    return write_sweep(tmp_path / "outputs" / "sweeps" / "2026-01-02_03-04-05-ab12")


def write_sweep(folder: Path) -> Path:
    """Nine runs; of the slowest rate one failed with a NaN, one has no result; all logs end torn."""
    writer = RunWriter(folder)
    for rate in RATES:
        for seed in SEEDS:
            _write_job(writer, rate, seed)
    return folder


def _write_job(writer: RunWriter, rate: float, seed: int) -> None:
    overrides = [f"method.lr={rate}", f"seed={seed}"]
    state = {(0.0001, 2): "failed", (0.0001, 3): "running"}.get((rate, seed), "completed")
    rows = writer.curve(seed, rate, last={"failed": 620, "running": 1380}.get(state, 2000))
    last = rows[-1].get("validation/bits_per_dim", math.nan)
    final = {"test/bits_per_dim": last + 0.01, "test/histogram": 2.4387, "validation/bits_per_dim": last}
    result: dict[str, Any] | None = writer.finished(
        seed, final, overrides=overrides, seconds=70 + 5 * seed + rate * 1000
    )
    if state == "failed":
        error = "loss became NaN at step 621; the first bad tensor is couplings.3.scale"
        result = writer.finished(
            seed, {}, overrides=overrides, status="failed", error=error, steps=620, seconds=25.0
        )
    if state == "running":
        result = None
    job = writer(
        ",".join(overrides),
        config=writer.settings(seed, rate),
        rows=rows,
        result=result,
        tail='{"stage": "tra',
    )
    (job / "figures").mkdir()
    for step in (1000, 2000):
        _draw(seed, rate).save(job / "figures" / f"samples_{step:06d}.png")


def _draw(seed: int, rate: float) -> Image.Image:
    noise = random.Random(seed + rate)
    pixels = bytes(min(255, int(abs(noise.gauss(0, 90)))) for _ in range(64 * 64))
    return Image.frombytes("L", (64, 64), pixels)
