"""Tilting on purpose, attacks that are kept inside, steps in the sign of the gradient, and kinds."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.optimize import minimize

from methods.boundary_tilting.linear.hyperplane import Hyperplane, angle
from methods.boundary_tilting.linear.pair import Pair
from methods.boundary_tilting.linear.tilt import tilt
from methods.boundary_tilting.linear.tilting import across, inside, sign_error, tilted
from methods.boundary_tilting.taxonomy import kind
from tests.methods.boundary_tilting.linear.test_geometry import pair, plane


def dead(both: Pair) -> Pair:
    """The same points with one more number, which is always 0."""
    return Pair(torch.cat((both.x, torch.zeros(len(both.x), 1, dtype=torch.float64)), 1), both.y)


@pytest.mark.parametrize("degrees", [0.0, 20.0, 89.9])
@pytest.mark.parametrize("component", [0, 5, -1])
def test_a_tilt_turns_the_normal_by_its_angle_and_keeps_the_mean(degrees: float, component: int) -> None:
    both, made = pair(), plane()
    v = across(made, both, component)
    turned = tilted(made, both, v, degrees)
    assert angle(turned.w, made.w) == pytest.approx(degrees, abs=1e-9)
    mean = both.x.mean(0)
    assert float(turned.w @ mean + turned.b) == pytest.approx(float(made.distance(mean[None])), abs=1e-9)


def test_a_direction_is_across_the_normal_and_away_from_the_centres() -> None:
    both, made = pair(), plane()
    for component in range(12):
        v = across(made, both, component)
        assert float(v.norm()) == pytest.approx(1)
        assert abs(float(v @ made.unit)) < 1e-12
        assert float(v @ both.direction) <= 0


def test_a_pixel_that_is_always_0_is_a_free_tilt() -> None:
    """The answers stay, and the adversarial distance goes to nothing (section 3 of the paper)."""
    both = dead(pair())
    made = Hyperplane(torch.cat((plane().w, torch.zeros(1, dtype=torch.float64))), plane().b)
    v = across(made, both, -1)
    assert float(v[-1].abs()) == pytest.approx(1)
    answers = made.distance(both.x).sign()
    for degrees in (30.0, 60.0, 89.9):
        turned = tilted(made, both, v, degrees)
        torch.testing.assert_close(turned.distance(both.x).sign(), answers)
        wanted = tilt(made, both).distance * math.cos(math.radians(degrees))
        assert tilt(turned, both).distance == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("components", [1, 4, 12])
def test_a_step_that_is_kept_inside_is_the_shortest_there(components: int) -> None:
    """Against a search by scipy over steps within the components."""
    both, made = pair(), plane()
    x, basis = both.x[0], both.spectrum[1][:, :components]
    score = float(made.w @ x + made.b)
    found = minimize(
        lambda a: float(a @ a),
        x0=[0.1] * components,
        constraints={"type": "eq", "fun": lambda a: float(made.w @ (x + basis @ torch.tensor(a))) + made.b},
        options={"ftol": 1e-14, "maxiter": 1000},
    )
    free = abs(score) / float(made.w.norm())
    assert inside(made, both, components) == pytest.approx(math.sqrt(found.fun) / free, rel=1e-4)


def test_nothing_inside_crosses_a_boundary_along_all_components() -> None:
    both = dead(pair())
    w = torch.zeros(13, dtype=torch.float64)
    w[-1] = 1
    assert inside(Hyperplane(w, 0.0), both, 3) > 1e12


def test_the_sign_of_the_gradient_is_the_worst_of_all_steps_of_its_size() -> None:
    both, made = pair(), plane()
    steps = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0], dtype=torch.float64)] * 12)
    for eps in (0.0, 0.05, 0.3):
        moved = both.x[:, None] + eps * steps
        margin = both.y * (moved @ made.w + made.b).T
        assert sign_error(made, both.x, both.y, eps) == float((margin.amin(0) <= 1e-12).double().mean())


@pytest.mark.parametrize(
    ("at", "angles", "errors", "centroid", "wanted"),
    [
        (0, [2.0, 40.0], [0.05, 0.02], 0.05, 0),
        (1, [2.0, 40.0], [0.05, 0.02], 0.05, 1),
        (1, [2.0, 40.0], [0.05, 0.048], 0.05, None),
        (2, [2.0, 40.0, 70.0], [0.05, 0.02, 0.03], 0.05, 2),
        (2, [2.0, 40.0, 70.0], [0.05, 0.02, 0.02], 0.05, 2),
        (1, [2.0, 40.0], [0.05, 0.02], 0.021, None),
    ],
)
def test_kinds(
    at: int, angles: list[float], errors: list[float], centroid: float, wanted: int | None
) -> None:
    assert kind(at, angles, errors, centroid) == wanted
