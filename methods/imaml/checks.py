"""What the implicit gradient claims exactly, on small smooth problems in float64, and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from datasets.types import ClassSplit, Episode, Episodes
from methods.common.cost import gradients_taken, peak_mb, seconds
from methods.imaml.config import AnilConfig, FomamlConfig, ImamlConfig, MamlConfig, MetaConfig, ReptileConfig
from methods.imaml.implicit import Implicit
from methods.imaml.inner import Adaptation, Inner
from methods.imaml.meta import implicit
from methods.imaml.method import AnilStage, FomamlStage, ImamlStage, MamlStage, ReptileStage
from methods.imaml.network import Flat, mlp
from methods.imaml.solve import conjugate_gradient
from methods.imaml.stage import MetaStage
from methods.imaml.tasks import Losses, Tasks, gradient, hessian
from runner.api import Inputs, Metrics

SIDE, WAY, QUERY = 28, 5, 15
"""Of the episode whose cost is measured."""

STAGES: dict[type[MetaConfig], type[MetaStage]] = {
    ImamlConfig: ImamlStage,
    MamlConfig: MamlStage,
    AnilConfig: AnilStage,
    FomamlConfig: FomamlStage,
    ReptileConfig: ReptileStage,
}


def _double(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def smooth(width: int = 8, points: int = 20) -> tuple[Tasks, Tensor]:
    """A regression by a tanh network, and its meta-parameters `[D]`, float64."""
    flat = Flat(mlp(2, (width,), 1, "tanh").double(), "loop")
    x, y = _double(1, 2 * points, 2), _double(1, 2 * points, 1)

    def losses(part: slice) -> Losses:
        return lambda phi: (flat(phi, x[:, part]) - y[:, part]).square().mean((1, 2))

    return Tasks(losses(slice(0, points)), losses(slice(points, None))), flat.vector().detach()


def adam(losses: Losses, theta: Tensor, lam: Tensor, steps: int = 4000) -> Tensor:
    """Torch's Adam on the problem with the pull, at a rate that falls until nothing moves."""
    phi = theta.detach().clone().requires_grad_()
    optimizer = torch.optim.Adam([phi], 1e-2)
    for t in range(steps):
        optimizer.param_groups[0]["lr"] = 1e-2 * 0.005 ** (4 * t / steps)
        pulled = losses(phi) + 0.5 * lam * (phi - theta).square().sum(-1)
        (phi.grad,) = torch.autograd.grad(pulled.sum(), phi)
        optimizer.step()
    return phi.detach()


def solvers(config: ImamlConfig, inputs: Inputs) -> Metrics:
    """How far the meta-gradients lie apart that follow on gradient descent, Adam, L-BFGS and Newton's method,
    each run until it has converged: the largest distance, over the length (equation 3 asks for phi alone)."""
    tasks, theta = smooth()
    lam = torch.tensor(config.lam).double()
    runs: list[Adaptation] = [
        Inner("gd", 500, 0.2),
        adam,
        Inner("lbfgs", 50, 1.0),
        Inner("hessian_free", 20, 1.0),
    ]
    found = [implicit(tasks, theta, lam, inner, Implicit(len(theta)), 1) for inner in runs]
    apart = [(a.gradient - b.gradient).norm() for a in found for b in found]
    return {
        "check/gradient_spread": max(apart) / found[0].gradient.norm(),
        "check/stationarity": max(meta.log["stationarity"] for meta in found),
    }


def jacobian(config: ImamlConfig, inputs: Inputs) -> Metrics:
    """The Jacobian of the solution by central differences against (I + H / lambda)^-1, relative."""
    tasks, theta = smooth(4)
    lam, eps, many = torch.tensor(config.lam).double(), 1e-5, len(theta)
    inner, eye = Inner("gd", 200, 0.2), torch.eye(len(theta)).double()

    def solution(start: Tensor) -> Tensor:
        return inner(tasks.support, start.unsqueeze(0), lam)[0]

    columns = [(solution(theta + eps * e) - solution(theta - eps * e)) / (2 * eps) for e in eye]
    phi = solution(theta)
    times = hessian(tasks.support, phi.unsqueeze(0))
    H = torch.stack([times(e.unsqueeze(0))[0] for e in eye], -1)
    dense = torch.linalg.inv(torch.eye(many).double() + H / lam)
    return {"check/jacobian_error": (torch.stack(columns, -1) - dense).norm() / dense.norm()}


def hessian_cost(config: ImamlConfig, inputs: Inputs) -> Metrics:
    """Seconds of a product with the Hessian over those of a gradient, of the dense Hessian over those of a
    product, and parameters, which is how many times the memory of a product the dense one takes."""
    tasks, theta = smooth(100)
    phi = theta.unsqueeze(0)
    v, eye = _double(1, len(theta)), torch.eye(len(theta)).double()

    def dense() -> list[Tensor]:
        times = hessian(tasks.support, phi)
        return [times(e.unsqueeze(0)) for e in eye]

    product = seconds(lambda: hessian(tasks.support, phi)(v), 20)
    return {
        "check/product_over_gradient": product / seconds(lambda: gradient(tasks.support, phi), 20),
        "check/dense_over_product": seconds(dense, 2) / product,
        "check/dimensions": len(theta),
    }


def cg_error(config: ImamlConfig, inputs: Inputs) -> Metrics:
    """Logarithm to base 10 of the relative error of the meta-gradient after `cg_steps` steps of conjugate
    gradients, on 20 quadratic problems of 20 dimensions and curvatures between 0.1 and 10, and the same of
    the normal equations, which square the condition number."""
    many, dims, lam = 20, 20, config.lam
    q = torch.linalg.qr(_double(many, dims, dims)).Q
    A = q @ torch.diag_embed(torch.logspace(-1, 1, dims).double().expand(many, -1)) @ q.mT
    b = _double(many, dims)
    system = torch.eye(dims).double() + A / lam
    exact = torch.linalg.solve(system, b)

    def product(u: Tensor) -> Tensor:
        return torch.einsum("mij,mj->mi", system, u)

    def error(found: Tensor) -> Tensor:
        return ((found - exact).norm(dim=-1) / exact.norm(dim=-1)).clamp(min=1e-15).log10().mean()

    plain = conjugate_gradient(product, b, config.cg_steps).x
    normal = conjugate_gradient(lambda u: product(product(u)), product(b), config.cg_steps).x
    return {"check/log_error": error(plain), "check/normal_over_plain": error(normal) - error(plain)}


def _episode(config: MetaConfig, shot: int) -> tuple[MetaStage, Episode]:
    """The method's own stage for the four-block network, and a 5-way episode of random images."""
    config = replace(config, network="conv4", tasks_as_one=False, way=WAY, shot=shot, query=QUERY)
    each = shot + QUERY
    train, validation, test = (
        ClassSplit(
            torch.randint(256, (WAY * each, 1, SIDE, SIDE), dtype=torch.uint8),
            np.full(WAY, each), [f"{part}{k}" for k in range(WAY)], [part] * WAY,
        )
        for part in ("train", "validation", "test")
    )  # fmt: skip
    data = Episodes("random", "", (1, SIDE, SIDE), 256, train, validation, test)
    stage = STAGES[type(config)](config)
    stage.build(Inputs(data, torch.device("cpu"), steps=1, batch_size=1, seed=0))
    return stage, stage.batch(torch.tensor([0]))


def _meta_gradient(config: MetaConfig) -> Callable[[], Tensor]:
    stage, batch = _episode(config, 1)
    return lambda: stage.meta(stage.tasks(batch), stage.flat.vector(), 1).gradient


def memory(config: MetaConfig, inputs: Inputs) -> Metrics:
    """Megabytes at the peak of one meta-gradient of an episode, by the allocator."""
    return {"check/peak_mb": peak_mb(_meta_gradient(config))}


def cost(config: MetaConfig, inputs: Inputs) -> Metrics:
    """Seconds of one meta-gradient of an episode."""
    return {"check/seconds": seconds(_meta_gradient(config), 5)}


def task_cost(config: MetaConfig, inputs: Inputs) -> Metrics:
    """What a new 5-way episode costs: parameters beyond the encoder, gradients that are taken, and seconds
    until its queries are answered."""
    stage, batch = _episode(config, config.shot)
    theta = stage.flat.vector().detach().unsqueeze(0)

    @torch.no_grad()
    def task() -> Tensor:
        phi = stage.adapt(stage.tasks(batch), theta, stage.test_steps)
        return stage.measured(batch, phi)["accuracy"]

    *_, head = stage.net.children()
    return {
        "check/extra_parameters": sum(p.numel() for p in head.parameters()),
        "check/gradients": gradients_taken(task),
        "check/task_seconds": seconds(task),
    }
