"""Distances, prototypes and attention against what the paper proves of them, in double precision."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from scipy.optimize import minimize
from torch import Tensor, nn

from methods.protonet.distance import Distance, cosine, euclidean, sqeuclidean
from methods.protonet.matching import Attention, FullContext
from methods.protonet.prototypes import Nearest, prototypes

WAY, D = 4, 6
EVEN = torch.arange(WAY).repeat_interleave(3).expand(2, -1)
UNEVEN = torch.tensor([0, 0, 1, 2, 2, 2, 2, 3]).expand(2, -1)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def nearest(kind: str = "sqeuclidean", **more: object) -> Nearest:
    return Nearest(Distance(kind, D, **more).double())  # type: ignore[arg-type]


@pytest.mark.parametrize("labels", [EVEN, UNEVEN])
def test_prototypes_are_means(labels: Tensor) -> None:
    support = draw(2, labels.shape[1], D)
    found = prototypes(support, labels, WAY)
    for m in range(2):
        for k in range(WAY):
            mean = torch.stack([z for z, y in zip(support[m], labels[m], strict=True) if y == k]).mean(0)
            torch.testing.assert_close(found[m, k], mean)


def test_distances_are_those_of_the_broadcast_form() -> None:
    z, c = draw(2, 7, D), draw(2, WAY, D, seed=1)
    off = z.unsqueeze(2) - c.unsqueeze(1)
    torch.testing.assert_close(sqeuclidean(z, c), off.square().sum(-1))
    torch.testing.assert_close(euclidean(z, c), off.norm(dim=-1))
    expected = 1 - nn.functional.cosine_similarity(z.unsqueeze(2), c.unsqueeze(1), dim=-1)
    torch.testing.assert_close(cosine(z, c), expected)
    weighted = Distance("mahalanobis", D).double()
    with torch.no_grad():
        weighted.log_weight.copy_(draw(D, seed=2))
    torch.testing.assert_close(weighted(z, c), (off.square() * weighted.log_weight.exp()).sum(-1))
    far = z.float() + 1e4
    assert (sqeuclidean(far, far) >= 0).all()


def test_the_gradient_of_a_distance_of_zero_is_zero() -> None:
    z = draw(1, 1, D).requires_grad_()
    euclidean(z, z.detach().clone() + torch.tensor([[[0.0]], [[1.0]]])[:1]).sum().backward()
    assert torch.equal(z.grad, torch.zeros_like(z))


def test_the_nearest_prototype_is_a_linear_classifier() -> None:
    """Section 2.4, equation 8: weights 2 c and offsets -c c; gradients too."""
    support, query = draw(2, 12, D).requires_grad_(), draw(2, 5, D, seed=1).requires_grad_()
    ours = nearest()(support, EVEN, query, WAY)
    c = prototypes(support, EVEN, WAY)
    theirs = (query @ (2 * c).transpose(1, 2) - c.square().sum(-1).unsqueeze(1)).log_softmax(-1)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)
    weights = draw(2, 5, WAY, seed=3)
    for a, b in zip(
        torch.autograd.grad((ours * weights).sum(), [support, query], retain_graph=True),
        torch.autograd.grad((theirs * weights).sum(), [support, query]),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", ["sqeuclidean", "euclidean", "cosine", "mahalanobis"])
def test_with_one_image_of_each_class_matching_is_the_same(kind: str) -> None:
    one = torch.arange(WAY).expand(2, -1)
    support, query = draw(2, WAY, D).requires_grad_(), draw(2, 5, D, seed=1)
    found = [head(support, one, query, WAY) for head in (nearest(kind), Attention(nearest(kind).distance))]
    torch.testing.assert_close(*found)
    gradients = [torch.autograd.grad(scores[..., 0].sum(), support)[0] for scores in found]
    torch.testing.assert_close(*gradients)
    support = draw(2, 12, D)
    several = [head(support, EVEN, query, WAY) for head in (nearest(kind), Attention(nearest(kind).distance))]
    assert (several[0] - several[1]).abs().max() > 1e-3


def test_attention_is_a_sum_over_each_class() -> None:
    support, query = draw(2, 8, D), draw(2, 5, D, seed=1)
    found = Attention(Distance("cosine", D, scale=3.0))(support, UNEVEN, query, WAY).exp()
    a = (3 * nn.functional.cosine_similarity(query.unsqueeze(2), support.unsqueeze(1), dim=-1)).softmax(-1)
    for k in range(WAY):
        torch.testing.assert_close(found[..., k], a[..., UNEVEN[0] == k].sum(-1))
    torch.testing.assert_close(found.sum(-1), torch.ones(2, 5, dtype=torch.float64))


def divergences() -> dict[str, Callable[[Tensor, Tensor], Tensor]]:
    root = draw(D, seed=8).exp()
    return {
        "squared": lambda z, c: (z - c).square().sum(),
        "mahalanobis": lambda z, c: (root * (z - c).square()).sum(),
        "kl": lambda z, c: (z * (z / c).log() - z + c).sum(),
        "euclidean": lambda z, c: (z - c).norm(dim=-1).sum(),
        "cosine": lambda z, c: (1 - nn.functional.cosine_similarity(z, c, dim=-1)).sum(),
    }


@pytest.mark.parametrize(
    ("name", "holds"), [("squared", 1), ("mahalanobis", 1), ("kl", 1), ("euclidean", 0), ("cosine", 0)]
)
def test_the_mean_is_nearest_to_all_for_bregman_divergences(name: str, holds: int) -> None:
    """Section 2.3 (Banerjee et al., 2005), by numerical minimisation of the sum of divergences."""
    z, divergence = draw(9, D).exp(), divergences()[name]
    mean = z.mean(0)

    def total(log_c: object) -> tuple[float, object]:
        x = torch.tensor(log_c, requires_grad=True)
        value = divergence(z, x.exp().expand_as(z))
        value.backward()
        return value.item(), x.grad.numpy()

    best = minimize(total, mean.log().numpy() + 0.1, jac=True, options={"gtol": 1e-9})
    found = torch.tensor(best.x).exp()
    if holds:
        torch.testing.assert_close(found, mean, rtol=1e-4, atol=1e-5)
    else:
        assert best.fun < divergence(z, mean.expand_as(z)).item() - 1e-3


def test_what_does_not_change_the_answer() -> None:
    support, query, head = draw(2, 12, D), draw(2, 5, D, seed=1), nearest()
    scores = head(support, EVEN, query, WAY)
    turn, shift = torch.linalg.qr(draw(D, D, seed=4)).Q, draw(D, seed=5)
    torch.testing.assert_close(head(support @ turn + shift, EVEN, query @ turn + shift, WAY), scores)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(head(support[:, order], EVEN[:, order], query, WAY), scores)
    renamed = torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(head(support, renamed[EVEN], query, WAY)[..., renamed], scores)
    torch.testing.assert_close(
        head.distance(3 * query, 3 * support), 9 * head.distance(query, support), rtol=1e-10, atol=1e-9
    )


def test_a_scale_multiplies_and_can_be_learned() -> None:
    support, query = draw(2, 12, D), draw(2, 5, D, seed=1)
    plain, fixed, learned = (
        nearest("cosine", **more).distance(query, support)
        for more in ({}, {"scale": 10.0}, {"scale": 10.0, "learned": True})
    )
    torch.testing.assert_close(fixed, 10 * plain)
    torch.testing.assert_close(learned, fixed, rtol=1e-6, atol=1e-6)
    assert [name for name, _ in nearest("cosine", learned=True).named_parameters()] == ["distance.log_scale"]


def test_perfect_and_random_embeddings() -> None:
    """One-hot embeddings far apart are always right; noise is right by chance."""
    scores = nearest()(30 * torch.eye(D).double()[EVEN], EVEN, 30 * torch.eye(D).double()[EVEN], WAY)
    assert torch.equal(scores.argmax(-1), EVEN)
    assert scores.gather(-1, EVEN.unsqueeze(-1)).abs().max() < 1e-9
    labels = torch.arange(WAY).repeat_interleave(3).expand(2000, -1)
    noise = nearest()(draw(2000, 12, D), labels, draw(2000, 12, D, seed=7), WAY)
    assert (noise.argmax(-1) == labels).double().mean().item() == pytest.approx(1 / WAY, abs=0.015)


def test_full_context_knows_the_other_support_images() -> None:
    """And with LSTMs that say nothing, it is the head alone."""
    support, query = draw(2, 12, D), draw(2, 5, D, seed=1)
    attention = Attention(Distance("cosine", D))
    head = FullContext(attention, D, steps=3).double()
    scores = head(support, EVEN, query, WAY)
    assert scores.shape == (2, 5, WAY)
    moved = support.clone()
    moved[:, -1] += 1.0
    first = scores[..., 0] - scores[..., 1]
    other = head(moved, EVEN, query, WAY)
    assert (other[..., 0] - other[..., 1] - first).abs().max() > 1e-4
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.zero_()
    torch.testing.assert_close(head(support, EVEN, query, WAY), attention(support, EVEN, query, WAY))


@pytest.mark.parametrize("kind", ["sqeuclidean", "euclidean", "mahalanobis"])
def test_distances_far_from_nothing_keep_their_digits(kind: str) -> None:
    """Shifting all embeddings changes no distance, though squares of large numbers leave no digits for it."""
    torch.manual_seed(0)
    z, c = torch.randn(2, 7, 16), torch.randn(2, 5, 16)
    distance = Distance(kind, 16)  # type: ignore[arg-type]
    torch.testing.assert_close(distance(z + 1000, c + 1000), distance(z, c), rtol=1e-3, atol=1e-2)
