"""Time of a Real NVP training step against the straightforward formulation that the tests compare with.

    python -m benchmarks.realnvp [--repeats 20] [--compile]

Both models have the same weights and batch, and both do forward, backward, clipping and a fused Adam step, in
turns, in one process, on one thread. Printed are medians of the processor time of that thread, and reference
over ours: above 1, ours is faster. `--compile` adds torch.compile of ours, whose first step takes minutes.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn

from methods.realnvp.config import RealNVPConfig
from methods.realnvp.density import bits_per_dim, log_likelihood
from methods.realnvp.logit import Logit
from methods.realnvp.multiscale import RealNVP
from runner import device
from tests.methods.realnvp.reference import Reference, load, objective

LEVELS = 256
MANUAL = Path(__file__).parents[1] / "conf/method/realnvp.yaml"
SIZES: dict[str, tuple[tuple[int, int, int], int, dict[str, int]]] = {
    # name: images (C, H, W), batch, flow
    "digits, narrow": ((1, 8, 8), 64, {"n_scale": 2, "blocks": 1, "width": 16}),
    "digits, preset": ((1, 8, 8), 64, {"n_scale": 2, "blocks": 1, "width": 32}),
    "MNIST on a CPU": ((1, 28, 28), 32, {"n_scale": 2, "blocks": 2, "width": 16}),
    "colour, 32 px": ((3, 32, 32), 16, {"n_scale": 2, "blocks": 2, "width": 32}),
}


def config(flow: dict[str, int]) -> RealNVPConfig:
    """The method's settings with those of `flow`."""
    values: dict[str, Any] = yaml.safe_load(MANUAL.read_text(encoding="utf-8"))
    del values["defaults"]
    return RealNVPConfig(**(values | flow))


def step(model: nn.Module, loss: Callable[[], Tensor]) -> Callable[[], None]:
    """A training step of `model`."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(parameters, lr=1e-3, fused=True)

    def run() -> None:
        optimizer.zero_grad()
        loss().backward()
        nn.utils.clip_grad_norm_(parameters, 100.0)
        optimizer.step()

    return run


def contestants(
    shape: tuple[int, int, int], batch: int, size: dict[str, int], compiled: bool
) -> dict[str, Callable[[], None]]:
    """Training steps by name, `reference` first."""
    torch.manual_seed(0)
    flow, logit = RealNVP(shape, config(size)), Logit(LEVELS)
    reference = Reference(shape[0], size["n_scale"], size["blocks"], size["width"])
    load(reference, flow)
    images, noise = torch.randint(LEVELS, (batch, *shape)), torch.rand(batch, *shape)

    def ours(model: Any) -> Tensor:
        return bits_per_dim(log_likelihood(model, logit, images, noise).total, images[0].numel()).mean()

    steps = {
        "reference": step(reference, lambda: objective(reference, images, noise, LEVELS).mean()),
        "ours": step(flow, lambda: ours(flow)),
    }
    if compiled:
        fast: Any = torch.compile(flow)
        steps["ours, compiled"] = step(flow, lambda: ours(fast))
    return steps


def measure(steps: dict[str, Callable[[], None]], repeats: int) -> dict[str, float]:
    """Median processor seconds of each step; the steps take turns."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(repeats + 2):
        for name, run in steps.items():
            start = time.thread_time()
            run()
            if turn >= 2:
                times[name].append(time.thread_time() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--compile", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    device.keep_freed_memory()  # as in a run
    for name, (shape, batch, size) in SIZES.items():
        medians = measure(contestants(shape, batch, size, arguments.compile), arguments.repeats)
        figures = [
            f"{who} {1e3 * seconds:.1f} ms ({medians['reference'] / seconds:.2f}x)"
            for who, seconds in medians.items()
        ]
        print(f"{name:16s} {', '.join(figures)}", flush=True)


if __name__ == "__main__":
    main()
