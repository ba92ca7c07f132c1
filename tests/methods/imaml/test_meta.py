"""Meta-gradients of all methods: on quadratic tasks, against each other, and in bytes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from methods.imaml.implicit import Implicit
from methods.imaml.inner import Inner
from methods.imaml.meta import descended, first_order, headed, headed_descended, implicit, reptile, unrolled
from methods.imaml.network import Flat, conv4, mlp
from methods.imaml.tasks import HeadedTasks, Tasks, gradient
from tests.methods.imaml.problems import THETA, D, M, draw, quadratic

PROBLEM = quadratic()
THETA_ = THETA[0]
LR = 0.1


def test_one_step_of_maml_on_a_quadratic() -> None:
    """(I - lr A) grad L(theta - lr grad Lhat), and without the bracket for FOMAML."""
    phi = THETA - LR * torch.einsum("mij,mj->mi", PROBLEM.A, THETA - PROBLEM.a)
    plain = torch.einsum("mij,mj->mi", PROBLEM.B, phi - PROBLEM.b)
    whole = plain - LR * torch.einsum("mij,mj->mi", PROBLEM.A, plain)
    found = unrolled(PROBLEM.tasks, THETA_, LR, 1, M)
    torch.testing.assert_close(found.gradient, whole.mean(0))
    torch.testing.assert_close(found.phi, phi)
    first = first_order(PROBLEM.tasks, THETA_, Inner("gd", 1, LR), M)
    torch.testing.assert_close(first.gradient, plain.mean(0))
    torch.testing.assert_close(first.phi, phi)
    step = reptile(PROBLEM.tasks, THETA_, Inner("gd", 1, LR), M)
    torch.testing.assert_close(step.gradient, gradient(PROBLEM.tasks.support, THETA).mean(0))


def test_the_unrolled_gradient_by_finite_differences() -> None:
    def outer(theta: Tensor) -> Tensor:
        return PROBLEM.tasks.query(descended(PROBLEM.tasks.support, theta.expand(M, D), LR, 4)).mean()

    found = unrolled(PROBLEM.tasks, THETA_, LR, 4, M).gradient
    eye = 1e-5 * torch.eye(D).double()
    slopes = torch.stack([(outer(THETA_ + e) - outer(THETA_ - e)) / 2e-5 for e in eye])
    torch.testing.assert_close(found, slopes, rtol=1e-7, atol=1e-8)


def test_going_back_through_all_steps_and_through_none() -> None:
    whole = unrolled(PROBLEM.tasks, THETA_, LR, 4, M).gradient
    torch.testing.assert_close(unrolled(PROBLEM.tasks, THETA_, LR, 4, M, through=4).gradient, whole)
    none = unrolled(PROBLEM.tasks, THETA_, LR, 4, M, through=0).gradient
    torch.testing.assert_close(none, first_order(PROBLEM.tasks, THETA_, Inner("gd", 4, LR), M).gradient)
    assert (unrolled(PROBLEM.tasks, THETA_, LR, 4, M, through=2).gradient - whole).abs().max() > 1e-3


def smooth() -> tuple[Tasks, Tensor, Flat]:
    """Two regressions of a small tanh network, float64."""
    torch.manual_seed(0)
    flat = Flat(mlp(2, (6,), 1, "tanh").double(), "loop")
    x, y = draw(2, 8, 2, seed=1), draw(2, 8, 1, seed=2)

    def losses(part: slice):  # type: ignore[no-untyped-def]
        return lambda phi: (flat(phi, x[:, part]) - y[:, part]).square().mean((1, 2))

    return Tasks(losses(slice(0, 4)), losses(slice(4, 8))), flat.vector().detach(), flat


def test_where_adaptation_has_converged_both_gradients_agree() -> None:
    """Through the steps of the pulled problem, and by the solution: 2e-10 in the specification's run."""
    tasks, theta, _ = smooth()
    lam = torch.tensor(2.0).double()
    gaps = []
    for steps in (16, 200):
        start = theta.clone().requires_grad_()
        phi = start.expand(2, -1)
        for _ in range(steps):
            pulled = tasks.support(phi) + 0.5 * lam * (phi - start).square().sum(-1)
            (g,) = torch.autograd.grad(pulled.sum(), phi, create_graph=True)
            phi = phi - 0.1 * g
        (through,) = torch.autograd.grad(tasks.query(phi).mean(), start)
        found = implicit(tasks, theta, lam, Inner("gd", steps, 0.1), Implicit(steps=60), 2)
        gaps.append(((found.gradient - through).norm() / through.norm()).item())
    assert gaps[1] < 1e-9 < gaps[0] < 0.1


def of_last_layer(how: str) -> tuple[HeadedTasks, Tensor]:
    """The same regressions, in which the last layer alone adapts."""
    tasks, theta, flat = smooth()
    flat = Flat(flat.net, how)  # type: ignore[arg-type]
    x, y = draw(2, 8, 2, seed=1), draw(2, 8, 1, seed=2)

    def of_head(phi: Tensor, part: slice):  # type: ignore[no-untyped-def]
        features = flat.features(phi, x[:, part])
        return lambda head: (flat.head(head, features) - y[:, part]).square().mean((1, 2))

    def of_heads(phi: Tensor) -> Tasks:
        return Tasks(of_head(phi, slice(0, 4)), of_head(phi, slice(4, 8)))

    return HeadedTasks(tasks.support, tasks.query, of_heads, flat.body), theta


@pytest.mark.parametrize("how", ["vmap", "loop"])
@pytest.mark.parametrize("through", [None, 2])
def test_adapting_the_last_layer_is_adapting_all_at_rate_0_but_for_the_last(
    how: str, through: int | None
) -> None:
    """By whole networks, in each step anew."""
    tasks, theta = of_last_layer(how)
    rates = torch.zeros_like(theta)
    rates[tasks.body :] = LR
    start = theta.clone().requires_grad_()
    phi = start.expand(2, -1)
    for t in range(5):
        if through is not None and t < 5 - through:
            phi = phi.detach() + start - start.detach()
        (g,) = torch.autograd.grad(tasks.support(phi).sum(), phi, create_graph=True)
        step = g if through is None or t >= 5 - through else g.detach()
        phi = phi - rates * step
    (wanted,) = torch.autograd.grad(tasks.query(phi).mean(), start)
    found = headed(tasks, theta, LR, 5, 2, through)
    torch.testing.assert_close(found.gradient, wanted)
    torch.testing.assert_close(found.phi, phi.detach())
    assert torch.equal(found.phi[:, : tasks.body], theta.expand(2, -1)[:, : tasks.body])
    torch.testing.assert_close(headed_descended(tasks, theta.expand(2, -1), LR, 5), found.phi)


@pytest.mark.parametrize("kind", ["mlp", "conv4"])
def test_tasks_as_one_are_tasks_one_after_another(kind: str) -> None:
    """Losses, gradients and products with Hessians."""
    torch.manual_seed(1)
    shape = (1, 16, 16)
    net = mlp(256, (8,), 5, "tanh") if kind == "mlp" else conv4(shape, 4, 2, 5)
    flats = [Flat(net.double(), how) for how in ("vmap", "loop")]  # type: ignore[arg-type]
    x, labels = draw(3, 10, *shape), torch.arange(10).remainder(5).expand(3, -1)
    phi = flats[0].vector().detach().expand(3, -1) + 0.01 * draw(3, sum(flats[0].sizes), seed=2)
    v = draw(*phi.shape, seed=3)
    found = []
    for flat in flats:

        def losses(p: Tensor, flat: Flat = flat) -> Tensor:
            scores = flat(p, x).flatten(0, 1)
            return nn.functional.cross_entropy(scores, labels.flatten(), reduction="none").view(3, -1).mean(1)

        p = phi.clone().requires_grad_()
        value = losses(p)
        (g,) = torch.autograd.grad(value.sum(), p, create_graph=True)
        (hv,) = torch.autograd.grad(g, p, v)
        found.append((value, g, hv))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-9)


def test_a_flat_network_is_the_network() -> None:
    torch.manual_seed(2)
    net = mlp(4, (5, 3), 2, "relu")
    flat, x = Flat(net, "vmap"), torch.randn(2, 7, 4)
    torch.testing.assert_close(flat(flat.vector().expand(2, -1), x), torch.stack([net(one) for one in x]))
    assert [p.shape for p in net.parameters()] == [p.shape for p in flat.pieces(flat.vector())]
    assert flat.layers == 3
    assert flat.layer.bincount().tolist() == [25, 18, 8]
    assert flat.body == 43
    with pytest.raises(ValueError, match="buffers"):
        Flat(nn.BatchNorm1d(3), "vmap")


class Saved:
    """Bytes of the tensors that graphs keep, at the most."""

    def __init__(self) -> None:
        self.now = self.most = 0

    def __enter__(self) -> Saved:
        self._hooks = torch.autograd.graph.saved_tensors_hooks(self._pack, lambda held: held[0])
        self._hooks.__enter__()
        return self

    def _pack(self, tensor: Tensor) -> tuple[Tensor, _Held]:
        return tensor, _Held(self, tensor.numel() * tensor.element_size())

    def __exit__(self, *error: object) -> None:
        self._hooks.__exit__(*error)


class _Held:
    def __init__(self, saved: Saved, size: int) -> None:
        self.saved, self.size = saved, size
        saved.now += size
        saved.most = max(saved.most, saved.now)

    def __del__(self) -> None:
        self.saved.now -= self.size


def most(kind: str, steps: int) -> int:
    tasks, theta, _ = smooth()
    with Saved() as saved:
        if kind == "implicit":
            implicit(tasks, theta, torch.tensor(2.0).double(), Inner("gd", steps, 0.1), Implicit(steps=5), 2)
        elif kind == "headed":
            headed(of_last_layer("loop")[0], theta, 0.1, steps, 2)
        else:
            unrolled(tasks, theta, 0.1, steps, 2)
    return saved.most


def test_memory_is_flat_in_the_steps_of_adaptation_and_grows_without_the_implicit_gradient() -> None:
    assert most("implicit", 4) == most("implicit", 32) > 0
    assert most("unrolled", 32) > 4 * most("unrolled", 4)


def test_steps_of_the_last_layer_keep_no_features_again() -> None:
    grown = [most(kind, 32) - most(kind, 16) for kind in ("headed", "unrolled")]
    assert 0 < grown[0] < grown[1] / 2
