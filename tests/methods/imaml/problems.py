"""Tasks whose meta-gradient is known in closed form, and smooth ones."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.imaml.tasks import Tasks

M, D = 3, 6


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def spd(seed: int, low: float = 0.2, high: float = 3.0) -> Tensor:
    """Symmetric matrices `[M, D, D]` with eigenvalues between `low` and `high`."""
    q = torch.linalg.qr(draw(M, D, D, seed=seed)).Q
    return q @ torch.diag_embed(torch.linspace(low, high, D).double().expand(M, D)) @ q.mT


@dataclass(frozen=True)
class Quadratic:
    """Support loss (phi - a) A (phi - a) / 2, query loss (phi - b) B (phi - b) / 2."""

    A: Tensor
    a: Tensor
    B: Tensor
    b: Tensor

    @property
    def tasks(self) -> Tasks:
        return Tasks(self._of(self.A, self.a), self._of(self.B, self.b))

    @staticmethod
    def _of(matrix: Tensor, centre: Tensor):  # type: ignore[no-untyped-def]
        def losses(phi: Tensor) -> Tensor:
            off = phi - centre
            return 0.5 * torch.einsum("mi,mij,mj->m", off, matrix, off)

        return losses

    def solution(self, theta: Tensor, lam: Tensor) -> Tensor:
        """phi* = (A + L)^-1 (A a + L theta), `[M, D]`."""
        lam = lam.expand(D)
        right = torch.einsum("mij,mj->mi", self.A, self.a) + lam * theta
        return torch.linalg.solve(self.A + torch.diag(lam), right)

    def meta_gradient(self, theta: Tensor, lam: Tensor) -> Tensor:
        """L (A + L)^-1 B (phi* - b), `[M, D]`."""
        g = torch.einsum("mij,mj->mi", self.B, self.solution(theta, lam) - self.b)
        lam = lam.expand(D)
        return lam * torch.linalg.solve(self.A + torch.diag(lam), g)


def quadratic(low: float = 0.2, high: float = 3.0) -> Quadratic:
    return Quadratic(spd(1, low, high), draw(M, D, seed=2), spd(3), draw(M, D, seed=4))


THETA = draw(1, D, seed=5).expand(M, D)
