"""Meta-gradients where they are known: quadratic tasks, limits, and finite differences."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from methods.imaml.implicit import Implicit, by_log_lambda
from methods.imaml.inner import Inner
from methods.imaml.method import Official
from methods.imaml.tasks import Tasks, gradient, hessian
from tests.methods.imaml.problems import THETA, D, M, draw, quadratic

ONE = torch.tensor(2.0).double()
EACH = torch.tensor([0.5, 1.0, 2.0, 3.0, 0.7, 1.5]).double()


@pytest.mark.parametrize("lam", [ONE, EACH, torch.tensor(0.1).double()])
def test_a_quadratic_tasks_meta_gradient(lam: Tensor) -> None:
    problem = quadratic()
    phi = problem.solution(THETA, lam)
    found = Implicit(steps=D)(problem.tasks, phi, lam)
    torch.testing.assert_close(found.x, problem.meta_gradient(THETA, lam), rtol=0, atol=1e-10)
    assert found.residual.max() < 1e-9
    assert not found.negative.any()


@pytest.mark.parametrize("lam", [ONE, EACH])
def test_it_is_the_derivative_of_the_query_loss(lam: Tensor) -> None:
    """By theta, and by the logarithm of lambda, through the closed form of the solution."""
    problem = quadratic()
    theta, rho = THETA[0].clone().requires_grad_(), lam.log().requires_grad_()
    losses = problem.tasks.query(problem.solution(theta.expand(M, D), rho.exp()))
    by_theta, by_rho = torch.autograd.grad(losses.sum(), [theta, rho])
    phi = problem.solution(THETA, lam)
    found = Implicit(steps=D)(problem.tasks, phi, lam).x
    torch.testing.assert_close(found.sum(0), by_theta, rtol=0, atol=1e-10)
    ours = by_log_lambda(found, phi, THETA).sum(0)
    torch.testing.assert_close(ours if lam.ndim else ours.sum(), by_rho, rtol=0, atol=1e-10)


def test_the_jacobian_by_finite_differences() -> None:
    problem, lam, eps = quadratic(), ONE, 1e-5
    eye = eps * torch.eye(D).double()
    columns = [(problem.solution(THETA + e, lam) - problem.solution(THETA - e, lam)) / (2 * eps) for e in eye]
    dense = torch.linalg.inv(torch.eye(D).double() + problem.A / lam)
    assert ((torch.stack(columns, -1) - dense).norm() / dense.norm()).item() < 1e-5


def test_limits() -> None:
    """A strong pull leaves the plain gradient at theta; no steps of a series leave it at phi; so does a
    support loss without curvature."""
    problem = quadratic()
    strong = torch.tensor(1e8).double()
    found = Implicit(steps=D)(problem.tasks, problem.solution(THETA, strong), strong).x
    torch.testing.assert_close(found, gradient(problem.tasks.query, THETA), rtol=1e-6, atol=1e-6)
    phi = draw(M, D, seed=9)
    plain = gradient(problem.tasks.query, phi)
    for solver in ("neumann", "cg"):
        found = Implicit(steps=0, solver=solver)(problem.tasks, phi, ONE)  # type: ignore[arg-type]
        torch.testing.assert_close(found.x, plain)
    flat = Tasks(lambda p: (p * draw(M, D, seed=3)).sum(-1), problem.tasks.query)
    torch.testing.assert_close(Implicit(steps=3)(flat, phi, ONE).x, plain)


def test_the_neumann_series_converges_where_curvature_is_small() -> None:
    problem, lam = quadratic(0.1, 1.0), ONE
    phi = problem.solution(THETA, lam)
    found = Implicit(steps=60, solver="neumann")(problem.tasks, phi, lam)
    torch.testing.assert_close(found.x, problem.meta_gradient(THETA, lam), rtol=0, atol=1e-10)


def test_the_official_codes_matrix_is_another() -> None:
    """(1 + damping) I + H / (lambda + 10), by a dense solution; it is far from the meta-gradient."""
    problem, lam = quadratic(), ONE
    phi = problem.solution(THETA, lam)
    g = gradient(problem.tasks.query, phi)
    dense = torch.linalg.solve(2 * torch.eye(D).double() + problem.A / (lam + 10), g)
    found = Implicit(steps=D, damping=1.0, variant="official_code")(problem.tasks, phi, lam).x
    torch.testing.assert_close(found, dense, rtol=0, atol=1e-10)
    assert ((found - problem.meta_gradient(THETA, lam)).norm() / found.norm()).item() > 0.2


def test_hessian_products_are_those_of_the_dense_matrix() -> None:
    def losses(phi: Tensor) -> Tensor:
        return (phi.tanh().cumsum(-1).square() * torch.arange(1, D + 1)).sum(-1)

    phi, v, u = draw(M, D), draw(M, D, seed=1), draw(M, D, seed=2)
    times = hessian(losses, phi)
    for m in range(M):
        dense = torch.autograd.functional.hessian(lambda p: losses(p[None])[0], phi[m])
        torch.testing.assert_close(times(v)[m], dense @ v[m])
    torch.testing.assert_close(times(2 * v + u), 2 * times(v) + times(u))
    torch.testing.assert_close((u * times(v)).sum(-1), (v * times(u)).sum(-1))


SOLVERS = [("gd", 3000, 0.1), ("momentum", 600, 0.05), ("nesterov", 600, 0.05), ("adam", 6000, 0.01),
           ("hessian_free", 30, 1.0), ("lbfgs", 60, 1.0)]  # fmt: skip


@pytest.mark.parametrize(("solver", "steps", "lr"), SOLVERS)
def test_all_solvers_meet_at_the_solution(solver: str, steps: int, lr: float) -> None:
    problem = quadratic()
    inner = Inner(solver, steps, lr)  # type: ignore[arg-type]
    phi = inner(problem.tasks.support, THETA, ONE)
    assert not phi.requires_grad
    slope = gradient(problem.tasks.support, phi) / ONE + phi - THETA
    assert slope.norm(dim=-1).max() < 5e-6
    torch.testing.assert_close(phi, problem.solution(THETA, ONE), rtol=0, atol=1e-5)
    found = Implicit(steps=D)(problem.tasks, phi, ONE).x
    torch.testing.assert_close(found, problem.meta_gradient(THETA, ONE), rtol=0, atol=1e-5)


def test_one_step_of_gradient_descent_by_hand() -> None:
    problem, phi = quadratic(), THETA
    for _ in range(2):
        pull = ONE * (phi - THETA)
        phi = phi - 0.1 * (torch.einsum("mij,mj->mi", problem.A, phi - problem.a) + pull)
    torch.testing.assert_close(Inner("gd", 2, 0.1)(problem.tasks.support, THETA, ONE), phi)


@pytest.mark.parametrize("solver", ["gd", "momentum", "nesterov", "hessian_free", "lbfgs"])
def test_each_solver_comes_to_the_solution_of_a_quadratic(solver: str) -> None:
    problem = quadratic()
    steps = 2000 if solver in ("gd", "momentum", "nesterov") else 60
    lr = {"gd": 0.1, "momentum": 0.05, "nesterov": 0.05}.get(solver, 1.0)
    phi = Inner(solver, steps, lr, directions=D)(problem.tasks.support, THETA, ONE)  # type: ignore[arg-type]
    torch.testing.assert_close(phi, problem.solution(THETA, ONE), rtol=0, atol=1e-11)
    found = Implicit(steps=D)(problem.tasks, phi, ONE)
    torch.testing.assert_close(found.x, problem.meta_gradient(THETA, ONE), rtol=0, atol=1e-10)


def test_the_official_code_adapts_without_the_pull_and_then_is_pulled_once() -> None:
    problem = quadratic()
    found = Official(Inner("gd", 3, 0.1))(problem.tasks.support, THETA, ONE)
    phi = THETA
    for _ in range(3):
        phi = phi - 0.1 * torch.einsum("mij,mj->mi", problem.A, phi - problem.a)
    torch.testing.assert_close(found, phi - 0.1 * ONE * (phi - THETA))
