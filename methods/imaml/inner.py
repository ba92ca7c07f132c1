"""Adaptation: solvers of a task's own problem, which starts at the meta-parameters.

All work on M tasks at once, keep no graph, and minimise the support loss plus half of lambda times the
squared distance from the meta-parameters (equation 1 of the iMAML paper); lambda 0 leaves the support loss
alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from methods.imaml.solve import conjugate_gradient
from methods.imaml.tasks import Losses, gradient, hessian

Adaptation = Callable[[Losses, Tensor, Tensor], Tensor]
"""Support losses, meta-parameters `[M, D]` and lambda to adapted parameters `[M, D]`."""

Solver = Literal["gd", "momentum", "nesterov", "adam", "hessian_free", "lbfgs"]
ARMIJO = 1e-4
"""Share of the decrease that the slope promises which a step must keep (Nocedal and Wright, section 3.1)."""

HALVINGS = 20


@dataclass(frozen=True)
class Inner:
    """A solver and its settings.

    Attributes:
        solver: gradient descent, with momentum 0.9, with Nesterov's, Adam, Newton's method with conjugate
            gradients and a line search, or L-BFGS.
        steps: updates of the parameters.
        lr: rate of the first four; the first step tried by the line search is 1.
        directions: steps of conjugate gradients for a direction of `hessian_free`.
        memory: pairs that `lbfgs` remembers.
    """

    solver: Solver
    steps: int
    lr: float
    directions: int = 5
    memory: int = 10

    def __call__(self, losses: Losses, theta: Tensor, lam: Tensor) -> Tensor:
        """Adapted parameters `[M, D]`, from the meta-parameters `[M, D]`, detached."""
        theta = theta.detach()

        def objective(phi: Tensor) -> Tensor:
            return losses(phi) + 0.5 * (lam * (phi - theta).square()).sum(-1)

        def slope(phi: Tensor) -> Tensor:
            return gradient(losses, phi) + lam * (phi - theta)

        match self.solver:
            case "hessian_free":
                return self._newton(losses, objective, slope, theta, lam)
            case "lbfgs":
                return self._lbfgs(objective, slope, theta)
            case _:
                return self._first_order(slope, theta)

    def _first_order(self, slope: Callable[[Tensor], Tensor], theta: Tensor) -> Tensor:
        phi, m, v = theta.clone(), torch.zeros_like(theta), torch.zeros_like(theta)
        for t in range(1, self.steps + 1):
            g = slope(phi)
            match self.solver:
                case "momentum":
                    m = 0.9 * m + g
                    g = m
                case "nesterov":
                    m = 0.9 * m + g
                    g = g + 0.9 * m
                case "adam":
                    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g.square()
                    g = m / (1 - 0.9**t) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
            phi = phi - self.lr * g
        return phi

    def _newton(
        self,
        losses: Losses,
        objective: Losses,
        slope: Callable[[Tensor], Tensor],
        theta: Tensor,
        lam: Tensor,
    ) -> Tensor:
        """Hessian-free: a few steps of conjugate gradients for (H + lambda) d = -slope, and a line search."""
        phi = theta.clone()
        for _ in range(self.steps):
            g, times = slope(phi), hessian(losses, phi)

            def product(d: Tensor, times: Callable[[Tensor], Tensor] = times) -> Tensor:
                return times(d) + lam * d

            found = conjugate_gradient(product, -g, self.directions)
            # Negative curvature at once leaves no direction but the steepest.
            d = torch.where((found.steps == 0)[:, None], -g, found.x)
            phi = phi + searched(objective, phi, g, d)[:, None] * d
        return phi

    def _lbfgs(self, objective: Losses, slope: Callable[[Tensor], Tensor], theta: Tensor) -> Tensor:
        """Two-loop recursion of each task (Nocedal and Wright, algorithm 7.4), and a line search."""
        phi, g = theta.clone(), slope(theta)
        pairs: list[tuple[Tensor, Tensor]] = []
        for _ in range(self.steps):
            d = -_inverse(pairs, g)
            d = torch.where(((d * g).sum(-1) < 0)[:, None], d, -g)
            step = searched(objective, phi, g, d)[:, None] * d
            phi, now = phi + step, slope(phi + step)
            pairs = [*pairs, (step, now - g)][-self.memory :]
            g = now
        return phi


def searched(objective: Losses, phi: Tensor, g: Tensor, d: Tensor) -> Tensor:
    """Length of each task's step along `d`: 1, halved until Armijo's condition holds, to rounding; 0 if it
    never does."""
    with torch.no_grad():
        start, slope = objective(phi), (g * d).sum(-1)
        length, found = torch.ones_like(start), torch.zeros_like(start)
        rounding = 4 * torch.finfo(start.dtype).eps * start.abs()
        for _ in range(HALVINGS):
            good = objective(phi + length[:, None] * d) <= start + ARMIJO * length * slope + rounding
            found = torch.where((found == 0) & good, length, found)
            if bool((found > 0).all()):
                break
            length = length / 2
        return found


def _curved(s: Tensor, y: Tensor) -> Tensor:
    """Whether the slope rises along a step, bool `[M, 1]`; relative, for steps get short."""
    least = 1e-8 * s.norm(dim=-1, keepdim=True) * y.norm(dim=-1, keepdim=True)
    return (s * y).sum(-1, keepdim=True) > least


def _inverse(pairs: list[tuple[Tensor, Tensor]], g: Tensor) -> Tensor:
    """The inverse Hessian as pairs of steps and changes of slope have it, times `g`; pairs without positive
    curvature are left out, task by task."""
    q, kept = g, []
    for s, y in reversed(pairs):
        sy = (s * y).sum(-1, keepdim=True)
        curved = _curved(s, y)
        rho = torch.where(curved, 1 / torch.where(curved, sy, 1), 0)
        alpha = rho * (s * q).sum(-1, keepdim=True)
        q = q - alpha * y
        kept.append((s, y, rho, alpha))
    if pairs:
        s, y = pairs[-1]
        sy, yy = (s * y).sum(-1, keepdim=True), y.square().sum(-1, keepdim=True)
        q = torch.where(_curved(s, y), sy / torch.where(yy > 0, yy, 1), 1) * q
    for s, y, rho, alpha in reversed(kept):
        beta = rho * (y * q).sum(-1, keepdim=True)
        q = q + s * (alpha - beta)
    return q
