"""Images per second of our attacks against foolbox's.

    python -m benchmarks.attacks [--repeats 5] [--images 256] [--threads 1]

A small convolutional network is trained on digits enlarged to 28x28 pixels. Both sides attack the same images
that it was not trained on, with as many steps, in turns: PGD (eps 0.1, 40 steps), DeepFool (50 steps) and DDN
(100 steps). Printed are our images per second, the median of their time over ours (aims: 1.25 for PGD, 2 for
the others), and the shares of errors and median Euclidean norms of both, which must be equal within 2 %. The
exit code is 1 where an aim is missed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import foolbox
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, interpolate

from methods.boundary_tilting.attacks.ddn import ddn
from methods.boundary_tilting.attacks.deepfool import deepfool
from methods.boundary_tilting.attacks.found import Found
from methods.boundary_tilting.attacks.sign import pgd
from runner import device

AIMS = {"pgd": 1.25, "deepfool": 2.0, "ddn": 2.0}
EPS = 0.1


def trained() -> tuple[nn.Module, Tensor, Tensor]:
    """A network of 98,000 numbers, and images that it was not trained on."""
    digits = load_digits()
    small = torch.tensor(digits.images[:, None] / 16).float()
    x, y = interpolate(small, size=28, mode="bilinear"), torch.tensor(digits.target)
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 16, 5, 2, 2), nn.ReLU(), nn.Conv2d(16, 32, 5, 2, 2), nn.ReLU(), nn.Flatten(),
        nn.Linear(1568, 54), nn.ReLU(), nn.Linear(54, 10),
    )  # fmt: skip
    adam = torch.optim.Adam(net.parameters(), 1e-3)
    for _ in range(150):
        at = torch.randint(1400, (128,))
        adam.zero_grad()
        cross_entropy(net(x[at]), y[at]).backward()
        adam.step()
    return net.eval().requires_grad_(False), x[1400:], y[1400:]


def attacks(net: nn.Module) -> dict[str, tuple[Callable[..., Found], Any, dict[str, Any]]]:
    """Ours, foolbox's, and what else foolbox is told."""
    f = foolbox.attacks
    return {
        "pgd": (lambda m, x, y: pgd(m, x, y, EPS, steps=40, rate=1 / 12),
                f.LinfPGD(steps=40, rel_stepsize=1 / 12), {"epsilons": EPS}),
        "deepfool": (deepfool, f.L2DeepFoolAttack(steps=50, overshoot=0.02), {"epsilons": None}),
        "ddn": (ddn, f.DDNAttack(steps=100), {"epsilons": None}),
    }  # fmt: skip


def took(attack: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds, and what came of it."""
    began = time.perf_counter()
    found = attack()
    return time.perf_counter() - began, found


def duel(ours: Callable[[], Found], theirs: Callable[[], Any], x: Tensor, repeats: int) -> tuple[float, str]:
    """The median of their time over ours, and what both came to; who goes first changes."""
    times, found, other = list[tuple[float, float]](), None, None
    for number in range(repeats + 1):
        if number % 2:
            (a, found), (b, other) = took(ours), took(theirs)
        else:
            (b, other), (a, found) = took(theirs), took(ours)
        times.append((a, b))
    assert found is not None
    assert other is not None
    norms = torch.where(other[2], (other[1] - x).flatten(1).norm(dim=1), torch.inf)
    ratio, speed = (
        statistics.median(b / a for a, b in times[1:]),
        len(x) / statistics.median(a for a, _ in times),
    )
    shares = [float(one.float().mean()) for one in (found.success, other[2])]
    medians = [float(one.median()) for one in (found.norms(x), norms)]
    said = (
        f"{speed:6.0f} images a second, {ratio:.2f} times foolbox's; errors {shares[0]:.3f} and "
        f"{shares[1]:.3f}, median norms {medians[0]:.4f} and {medians[1]:.4f}"
    )
    return ratio, said


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    device.set_threads(given.threads)
    net, x, y = trained()
    x, y = x[: given.images], y[: given.images]
    model, missed = foolbox.PyTorchModel(net, bounds=(0, 1), device="cpu"), False
    for name, (attack, other, words) in attacks(net).items():
        ratio, said = duel(partial(attack, net, x, y), partial(other, model, x, y, **words), x, given.repeats)
        print(f"{name:8} {said}")
        missed |= ratio < AIMS[name]
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
