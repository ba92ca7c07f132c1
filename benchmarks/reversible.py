"""Real NVP without activations: seconds of a step, and bytes that wait for its backward pass.

    python -m benchmarks.reversible [--couplings 1 2 4 8] [--repeats 7] [--out FILE.png]

Bounds: at most 1.6 times the time; bytes that do not grow with the number of couplings.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from methods.common.cost import seconds
from methods.realnvp.checks import saved_bytes, step
from methods.realnvp.config import RealNVPConfig
from methods.realnvp.multiscale import RealNVP
from runner.compose import Composer

SHAPE, BATCH = (3, 16, 16), 32
WORDS = ("method=realnvp", "method.width=32", "method.blocks=2", "method.scale_init=1.0")


def config(couplings: int, reversible: bool) -> RealNVPConfig:
    """Settings of the flow that is measured."""
    more = (f"method.couplings={couplings}", f"method.reversible={str(reversible).lower()}")
    found: RealNVPConfig = Composer([*WORDS, *more]).compose().method_config
    return found


def measure(couplings: int, repeats: int) -> dict[bool, tuple[float, float]]:
    """Seconds and megabytes of a step, plain and reversible, timed in turn."""
    y = torch.randn(BATCH, *SHAPE)
    flows = {flag: RealNVP(SHAPE, config(couplings, flag)).train() for flag in (False, True)}
    times = {flag: seconds(partial(step, flow, y), repeats) for flag, flow in flows.items()}
    return {flag: (times[flag], saved_bytes(flow, y) / 1e6) for flag, flow in flows.items()}


def draw(found: dict[int, dict[bool, tuple[float, float]]], path: Path) -> None:
    """Megabytes against couplings."""
    figure = Figure(figsize=(5.2, 3.4), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for flag, name, colour in ((False, "plain autograd", "#D55E00"), (True, "reversible", "#0072B2")):
        axes.plot(list(found), [one[flag][1] for one in found.values()], "o-", label=name, color=colour)
    axes.set_xlabel("couplings of each kind and scale")
    axes.set_ylabel("MB that wait for the backward pass")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(path, metadata={"Software": None})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--couplings", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = {}
    for couplings in options.couplings:
        found[couplings] = measure(couplings, options.repeats)
        (plain, plain_mb), (ours, ours_mb) = found[couplings][False], found[couplings][True]
        print(
            f"{couplings:>3} couplings  plain {1000 * plain:.0f} ms {plain_mb:.1f} MB  "
            f"reversible {1000 * ours:.0f} ms {ours_mb:.1f} MB  time {ours / plain:.2f} times",
            flush=True,
        )
    if options.out is not None:
        draw(found, options.out)


if __name__ == "__main__":
    main()
