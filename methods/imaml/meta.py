"""Gradients by the meta-parameters: what the methods differ in.

Each takes tasks and the meta-parameters `theta` `[D]`, and returns the mean gradient over the tasks, the
adapted parameters `[M, D]`, and what is to be logged.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from methods.imaml.implicit import Implicit, by_log_lambda
from methods.imaml.inner import Adaptation, Inner
from methods.imaml.tasks import HeadedTasks, Losses, Tasks, gradient


class Meta(NamedTuple):
    """Attributes:
    gradient: by the meta-parameters, `[D]`, the mean over the tasks.
    phi: adapted parameters `[M, D]`, detached.
    log: numbers to log.
    by_log_lambda: gradient by the logarithm of each parameter's lambda, `[D]`; None where there is none.
    """

    gradient: Tensor
    phi: Tensor
    log: dict[str, Tensor]
    by_log_lambda: Tensor | None = None


def implicit(tasks: Tasks, theta: Tensor, lam: Tensor, inner: Adaptation, solve: Implicit, many: int) -> Meta:
    """iMAML (algorithm 2): by the solution of the inner problem, not by the way to it."""
    start = theta.detach().expand(many, -1)
    phi = inner(tasks.support, start, lam)
    found = solve(tasks, phi, lam)
    stationarity = (gradient(tasks.support, phi) / lam + phi - start).norm(dim=-1)
    log = {
        "residual": found.residual.mean(),
        "stationarity": stationarity.mean(),
        "negative_curvature": found.negative.float().mean(),
        "cg_steps": found.steps.float().mean(),
    }
    return Meta(found.x.mean(0), phi, log, by_log_lambda(found.x, phi, start).mean(0))


def unrolled(
    tasks: Tasks, theta: Tensor, lr: float, steps: int, many: int, through: int | None = None
) -> Meta:
    """MAML (Finn et al., ICML 2017): through the steps of gradient descent.

    Arguments:
        through: only the last so many steps are gone back through (Shaban et al., AISTATS 2019), and those
            before count as a shift; None for all.
    """
    theta = theta.detach().requires_grad_()
    with torch.enable_grad():
        phi = _followed(tasks.support, theta.expand(many, -1), lr, steps, through)
        (found,) = torch.autograd.grad(tasks.query(phi).mean(), theta)
    return Meta(found, phi.detach(), {})


def headed(
    tasks: HeadedTasks, theta: Tensor, lr: float, steps: int, many: int, through: int | None = None
) -> Meta:
    """ANIL (Raghu et al., ICLR 2020): MAML in which the last layer alone adapts. Features are had once, and
    all steps are those of one linear map; arguments are those of `unrolled`."""
    theta = theta.detach().requires_grad_()
    with torch.enable_grad():
        start = theta.expand(many, -1)
        of_head = tasks.headed(start)
        head = _followed(of_head.support, start[:, tasks.body :], lr, steps, through)
        (found,) = torch.autograd.grad(of_head.query(head).mean(), theta)
    return Meta(found, torch.cat([start[:, : tasks.body], head], 1).detach(), {})


def _followed(losses: Losses, start: Tensor, lr: float, steps: int, through: int | None) -> Tensor:
    """Gradient descent from `start` `[M, D]`, with the graph of its last `through` steps."""
    phi = start
    for t in range(steps):
        kept = through is None or t >= steps - through
        if not kept:
            phi = phi.detach() + (start - start.detach())
        (g,) = torch.autograd.grad(losses(phi).sum(), phi, create_graph=kept)
        phi = phi - lr * g
    return phi


def descended(losses: Losses, theta: Tensor, lr: float, steps: int) -> Tensor:
    """Where gradient descent gets to from `theta` `[M, D]`, without a graph."""
    phi = theta
    for _ in range(steps):
        phi = phi - lr * gradient(losses, phi)
    return phi


def headed_descended(tasks: HeadedTasks, theta: Tensor, lr: float, steps: int) -> Tensor:
    """The same where the last layer alone adapts."""
    with torch.no_grad():
        of_head = tasks.headed(theta)
    head = descended(of_head.support, theta[:, tasks.body :], lr, steps)
    return torch.cat([theta[:, : tasks.body], head], 1)


def first_order(tasks: Tasks, theta: Tensor, inner: Inner, many: int) -> Meta:
    """FOMAML: the gradient of the query loss at the adapted parameters, taken for that at the start."""
    none = theta.new_zeros(())
    phi = inner(tasks.support, theta.detach().expand(many, -1), none)
    return Meta(gradient(tasks.query, phi).mean(0), phi, {})


def reptile(tasks: Tasks, theta: Tensor, inner: Inner, many: int) -> Meta:
    """Reptile (Nichol et al., 2018): the way from the adapted parameters back, over the rate of one step."""
    start = theta.detach().expand(many, -1)
    phi = inner(tasks.support, start, theta.new_zeros(()))
    return Meta((start - phi).mean(0) / inner.lr, phi, {})
