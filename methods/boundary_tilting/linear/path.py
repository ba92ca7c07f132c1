"""A classifier at each strength of regularisation, from strong to weak."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from torch import Tensor

from methods.boundary_tilting.linear.hinge import hinge_machine
from methods.boundary_tilting.linear.hyperplane import Hyperplane
from methods.boundary_tilting.linear.losses import logistic, squared_hinge
from methods.boundary_tilting.linear.newton import Fit, newton
from methods.boundary_tilting.linear.pair import Pair

Fitter = Callable[[Tensor, Tensor, float, Fit | None], Fit]

FITTERS: dict[str, Fitter] = {
    "logistic": lambda x, y, c, start: newton(x, y, c, logistic, start),
    "squared_hinge": lambda x, y, c, start: newton(x, y, c, squared_hinge, start),
    "hinge": hinge_machine,
}
"""By the name of the loss."""

FACTOR = 10.0
"""By how much C may grow from one solution to the next that begins there."""


def fitted(pair: Pair, loss: str, c: float, before: tuple[float, Hyperplane] | None = None) -> Hyperplane:
    """The minimiser of 0.5 ||w||^2 + C sum_i loss(y_i (w . x_i + b)).

    Numbers that are 0 in all points have weight 0 in every minimiser, and are left out.

    Arguments:
        before: the minimiser at a smaller C, and that C; the search begins there.

    Raises:
        ArithmeticError: where the minimiser is not found.
    """
    live, x = pair.used
    fit, at = None, min(c, 1 / float(x.square().sum()))
    if before is not None:
        at, plane = before
        fit = Fit(plane.w[live], plane.w.new_tensor(plane.b), 0)
    while at * FACTOR < c:
        at *= FACTOR
        fit = FITTERS[loss](x, pair.y, at, fit)
    fit = FITTERS[loss](x, pair.y, c, fit)
    w = x.new_zeros(len(live))
    w[live] = fit.w
    return Hyperplane(w, float(fit.b))


def path(pair: Pair, loss: str, cs: Sequence[float]) -> Iterator[Hyperplane]:
    """The minimisers at each C of a rising sequence, of which each begins at the one before.

    Raises:
        ValueError: where `cs` does not rise.
        ArithmeticError: where a minimiser is not found.
    """
    if any(b <= a for a, b in pairwise(cs)) or min(cs) <= 0:
        raise ValueError(f"strengths must be positive and rise: {list(cs)}")
    before = None
    for c in cs:
        plane = fitted(pair, loss, c, before)
        yield plane
        before = (c, plane)
