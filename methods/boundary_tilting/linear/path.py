"""A classifier at each strength of regularisation, from strong to weak."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
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


def path(pair: Pair, loss: str, cs: Sequence[float]) -> Iterator[Hyperplane]:
    """Minimisers of 0.5 ||w||^2 + C sum_i loss(y_i (w . x_i + b)) for each C of a rising sequence.

    Each begins at the one before. Pixels that are 0 in all points have weight 0 in every minimiser, and are
    left out.

    Raises:
        ValueError: where `cs` does not rise.
        ArithmeticError: where a minimiser is not found.
    """
    if any(b <= a for a, b in pairwise(cs)) or min(cs) <= 0:
        raise ValueError(f"strengths must be positive and rise: {list(cs)}")
    live = (pair.x != 0).any(0)
    x, fit = pair.x[:, live].contiguous(), None
    at = min(cs[0], 1 / float(x.square().sum()))
    fitter = partial(FITTERS[loss], x, pair.y)
    for c in cs:
        while at * FACTOR < c:
            at *= FACTOR
            fit = fitter(at, fit)
        at, fit = c, fitter(c, fit)
        w = x.new_zeros(pair.x.shape[1])
        w[live] = fit.w
        yield Hyperplane(w, float(fit.b))
