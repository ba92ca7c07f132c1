"""The meta-gradient at the solution of the inner problem (Rajeswaran et al., NeurIPS 2019, section 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from methods.imaml.solve import Solved, conjugate_gradient, neumann
from methods.imaml.tasks import Tasks, gradient, hessian

Variant = Literal["paper", "official_code"]
OFFICIAL_SHIFT = 10.0
"""What the official code adds to lambda in the matrix of its system."""


@dataclass(frozen=True)
class Implicit:
    """How (I + H / lambda) v = g is solved, with H the Hessian of the support loss at the adapted parameters
    and g the gradient of the query loss there.

    Attributes:
        steps: of conjugate gradients, or terms of the Neumann series; 0 takes the matrix for I, which is
            FOMAML.
        damping: added to the matrix, times I.
        tol: relative residual at which conjugate gradients end.
        solver: `cg` or `neumann`.
        variant: the paper's matrix, or that of the authors' code: (1 + damping) I + H / (lambda + 10).
    """

    steps: int
    damping: float = 0.0
    tol: float = 0.0
    solver: Literal["cg", "neumann"] = "cg"
    variant: Variant = "paper"

    def __call__(self, tasks: Tasks, phi: Tensor, lam: Tensor) -> Solved:
        """Meta-gradients `x` `[M, D]` at the adapted parameters `phi` `[M, D]`; `lam` is positive, one number
        or one for each parameter."""
        g, root = gradient(tasks.query, phi), self._divisor(lam).sqrt()
        times = hessian(tasks.support, phi)

        def product(u: Tensor) -> Tensor:
            return (1 + self.damping) * u + times(u / root) / root

        # With a lambda for each parameter, in a matrix L, the meta-gradient is L (H + L)^-1 g. In
        # u = L^-1/2 v the matrix is symmetric, which conjugate gradients ask for.
        if self.solver == "neumann" or self.steps == 0:
            found = neumann(product, g / root, self.steps)
        else:
            found = conjugate_gradient(product, g / root, self.steps, self.tol)
        return found._replace(x=found.x * root)

    def _divisor(self, lam: Tensor) -> Tensor:
        return lam + OFFICIAL_SHIFT if self.variant == "official_code" else lam


def by_log_lambda(meta: Tensor, phi: Tensor, theta: Tensor) -> Tensor:
    """Derivative of each task's query loss by the logarithm of each parameter's lambda, `[M, D]`.

    By lambda itself it is -(H + L)^-1 g times phi - theta, and `meta` is L (H + L)^-1 g. Where parameters
    share one lambda, theirs are added up.
    """
    return -meta * (phi - theta)
