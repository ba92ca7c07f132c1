"""Conjugate gradients of several tasks at once."""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse.linalg import cg

from methods.imaml.solve import conjugate_gradient
from tests.methods.imaml.problems import D, M, draw, spd

A, B = spd(7, 0.01, 5.0), draw(M, D, seed=8)


def product(v: torch.Tensor) -> torch.Tensor:
    return torch.einsum("mij,mj->mi", A, v)


def test_it_is_exact_after_as_many_steps_as_there_are_dimensions() -> None:
    found = conjugate_gradient(product, B, D)
    torch.testing.assert_close(found.x, torch.linalg.solve(A, B), rtol=0, atol=1e-9)
    assert found.steps.tolist() == [D] * M


def test_the_error_falls_monotonically_and_steps_are_scipys() -> None:
    exact, before = torch.linalg.solve(A, B), torch.full((M,), torch.inf).double()
    for steps in range(1, D):
        found = conjugate_gradient(product, B, steps)
        off = found.x - exact
        error = (off * product(off)).sum(-1)
        assert (error < before).all()
        before = error
        for m in range(M):
            theirs, _ = cg(A[m].numpy(), B[m].numpy(), rtol=0.0, atol=0.0, maxiter=steps)
            np.testing.assert_allclose(found.x[m], theirs, rtol=1e-8, atol=1e-10)
        off = (B - product(found.x)).norm(dim=-1) / B.norm(dim=-1)
        torch.testing.assert_close(found.residual, off)


def test_nothing_to_solve_gives_nothing() -> None:
    b = B.clone()
    b[1] = 0
    found = conjugate_gradient(product, b, D)
    assert torch.equal(found.x[1], torch.zeros(D).double())
    assert found.steps.tolist() == [D, 0, D]
    assert found.residual[1] == 0
    assert torch.isfinite(found.x).all()


def test_a_tolerance_ends_each_task_by_itself() -> None:
    found = conjugate_gradient(product, B, D, tol=0.3)
    assert (found.residual <= 0.3).all()
    for m, steps in enumerate(found.steps.tolist()):
        assert 0 < steps <= D
        assert conjugate_gradient(product, B, steps - 1).residual[m] > 0.3


def test_negative_curvature_ends_a_task_and_is_counted() -> None:
    """Its iterate is the last one before; the other tasks go on."""
    bad = A.clone()
    bad[0] = bad[0] - 2.0 * torch.eye(D)

    def times(v: torch.Tensor) -> torch.Tensor:
        return torch.einsum("mij,mj->mi", bad, v)

    found = conjugate_gradient(times, B, D)
    assert found.negative.tolist() == [True, False, False]
    assert found.steps[0] < D
    before = conjugate_gradient(times, B, int(found.steps[0]))
    torch.testing.assert_close(found.x[0], before.x[0])
    torch.testing.assert_close(found.x[1:], torch.linalg.solve(A, B)[1:], rtol=0, atol=1e-9)


def test_a_system_that_holds_no_numbers_is_counted() -> None:
    """Steps that are not finite are as bad as a direction without curvature."""
    b = B.clone()
    b[1] = torch.nan
    found = conjugate_gradient(product, b, D)
    assert found.negative.tolist() == [False, True, False]
    torch.testing.assert_close(found.x[[0, 2]], torch.linalg.solve(A, B)[[0, 2]], rtol=0, atol=1e-9)
