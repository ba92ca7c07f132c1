"""Time of a Real NVP training step against the straightforward formulation in the tests.

    python -m benchmarks.realnvp [--repeats 15] [--compile]

Both models have the same weights, take the same batch and do forward, backward, clipping and a fused Adam
step. The two take turns within one process on one thread; printed are medians and their ratio (above 1: ours
is faster).
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from omegaconf import OmegaConf
from torch import Tensor, nn

from methods.realnvp.config import RealNVPConfig
from methods.realnvp.density import bits_per_dim, log_likelihood
from methods.realnvp.logit import Logit
from methods.realnvp.multiscale import RealNVP
from tests.methods.realnvp.reference import Reference, load, objective

# name: images (C, H, W), batch, and the size of the flow
SIZES = {
    "digits": ((1, 8, 8), 64, {"n_scale": 2, "blocks": 1, "width": 32}),
    "mnist": ((1, 28, 28), 32, {"n_scale": 2, "blocks": 2, "width": 16}),
    "colour 32": ((3, 32, 32), 16, {"n_scale": 2, "blocks": 2, "width": 32}),
    "paper's width": ((3, 32, 32), 4, {"n_scale": 2, "blocks": 4, "width": 64}),
}
LEVELS = 256


def config(sizes: dict[str, int]) -> RealNVPConfig:
    """The method's own settings with the size of the flow changed."""
    node = OmegaConf.to_container(OmegaConf.load(Path(__file__).parents[1] / "conf/method/realnvp.yaml"))
    assert isinstance(node, dict)
    node.pop("defaults")
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in node.items()}
    return RealNVPConfig(**{**values, **sizes})  # type: ignore[arg-type]


def stepper(flow: nn.Module, loss: Callable[[], Tensor]) -> Callable[[], float]:
    """Seconds of one training step."""
    optimizer = torch.optim.Adam([p for p in flow.parameters() if p.requires_grad], fused=True)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]

    def step() -> float:
        began = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        loss().backward()
        nn.utils.clip_grad_norm_(parameters, 100.0, foreach=True)
        optimizer.step()
        return time.perf_counter() - began

    return step


def compare(
    shape: tuple[int, int, int], batch: int, sizes: dict[str, int], repeats: int, compiled: bool
) -> str:
    """One line: the medians of both and their ratio."""
    torch.manual_seed(0)
    ours = RealNVP(shape, config(sizes)).train()
    theirs = Reference(shape[0], sizes["n_scale"], sizes["blocks"], sizes["width"]).train()
    load(theirs, ours)
    logit, dimensions = Logit(LEVELS), shape[0] * shape[1] * shape[2]
    images, noise = torch.randint(0, LEVELS, (batch, *shape), dtype=torch.uint8), torch.rand(batch, *shape)
    if compiled:
        ours.compile()
    steps = (
        stepper(
            ours, lambda: bits_per_dim(log_likelihood(ours, logit, images, noise).total, dimensions).mean()
        ),
        stepper(theirs, lambda: objective(theirs, images, noise, LEVELS).mean()),
    )
    pairs = [tuple(step() for step in steps) for _ in range(repeats + 3)][3:]
    a, b = (1000 * statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(theirs / ours for ours, theirs in pairs)
    return f"ours {a:7.1f} ms  reference {b:7.1f} ms  ratio {ratio:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--compile", action="store_true", help="ours under torch.compile")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name, (shape, batch, sizes) in SIZES.items():
        print(f"{name:<14} {compare(shape, batch, sizes, options.repeats, options.compile)}", flush=True)


if __name__ == "__main__":
    main()
