"""The support vector machine with a plain hinge: corners that are rounded less and less, then none."""

from __future__ import annotations

import torch
from torch import Tensor

from methods.boundary_tilting.linear.losses import hinge, smooth_hinge
from methods.boundary_tilting.linear.newton import Fit, newton

WIDTHS = tuple(2.0 ** (1 - i) for i in range(32))
"""Half-widths of the rounded corner, in turn."""

BALANCED = 1e-9
"""Share of the sum of dual variables by which those of both labels may differ."""

CORNER = 1e-9
"""How near to a corner an offset is taken to be at it."""


def hinge_machine(x: Tensor, y: Tensor, c: float, start: Fit | None = None, tolerance: float = 1e-4) -> Fit:
    """Minimises 0.5 ||w||^2 + C sum_i max(0, 1 - y_i (w . x_i + b)) of points `[n, d]`, float64.

    A solution with a rounded corner says which points lie at the corner, and these what the solution without
    rounding is, if they are the right ones. Whether they are is told by the gap between the risk and its dual
    problem, which bounds how far from the solution one is: the search ends where `w` is known to `tolerance`
    of its length, which is radians of its direction. Where penalties are strong, a whole interval of offsets
    may have the same risk; the middle of it is taken, as libsvm does.

    Raises:
        ArithmeticError: where that is not reached.
    """
    fit, rounds = start, 0
    for width in WIDTHS:
        fit = newton(x, y, c, smooth_hinge(width), fit, tolerance=1e-6)
        rounds += fit.rounds
        for found, alpha in filter(None, (_rounded(x, y, c, fit, width), _sharp(x, y, c, fit, width))):
            if (2 * gap(x, y, c, found, alpha)).clamp(min=0).sqrt() <= tolerance * found.w.norm():
                return Fit(found.w, _middle(x, y, found), rounds)
    raise ArithmeticError(f"the hinge's corner is too sharp for Newton's method at C={c:g}")


def gap(x: Tensor, y: Tensor, c: float, fit: Fit, alpha: Tensor) -> Tensor:
    """Risk at `fit` less the dual problem's at `alpha` `[n]`, within [0, C] and balanced over labels."""
    dual = alpha.sum() - 0.5 * ((alpha * y) @ x).square().sum()
    return 0.5 * fit.w.square().sum() + c * hinge(y * (x @ fit.w + fit.b)).sum() - dual


def _middle(x: Tensor, y: Tensor, fit: Fit) -> Tensor:
    """The middle of the offsets that have the same risk as the fit's."""
    corners = y - x @ fit.w  # the offset at which a point's margin is 1
    away = fit.b - corners
    if (away.abs() <= CORNER * (1 + fit.b.abs())).any() or y[y * away < 0].sum() != 0:
        return fit.b
    return (corners[away > 0].max() + corners[away < 0].min()) / 2


def _rounded(x: Tensor, y: Tensor, c: float, fit: Fit, width: float) -> tuple[Fit, Tensor]:
    """The fit itself, and its dual variables: C times the slopes, of which `w = sum_i alpha_i y_i x_i`."""
    return fit, -c * smooth_hinge(width)(y * (x @ fit.w + fit.b)).first


def _sharp(x: Tensor, y: Tensor, c: float, fit: Fit, width: float) -> tuple[Fit, Tensor] | None:
    """The solution if the points that lie within `width` of the corner lie at it: their margins are 1, and
    the dual variables of those beyond it are C. None where there are more of them than numbers to choose, or
    where such dual variables are not balanced over labels within [0, C]."""
    slopes = smooth_hinge(width)(y * (x @ fit.w + fit.b))
    beyond, at = c * (slopes.first == -1).to(x.dtype), slopes.second > 0
    rows, pulled = x[at], (beyond * y) @ x
    if len(rows) > x.shape[1] + 1:
        return None
    system = x.new_ones(len(rows) + 1, len(rows) + 1)
    system[:-1, :-1], system[-1, -1] = rows @ rows.T, 0
    wanted = torch.cat((y[at] - rows @ pulled, -(beyond @ y)[None]))
    solved = torch.linalg.lstsq(system, wanted[:, None], driver="gelsd").solution[:, 0]
    alpha = beyond.clone()
    alpha[at] = (solved[:-1] * y[at]).clamp(0, c)
    if (alpha @ y).abs() > BALANCED * alpha.sum():
        return None
    return Fit((alpha * y) @ x, solved[-1], fit.rounds), alpha
