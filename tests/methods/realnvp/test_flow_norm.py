"""Flow batch normalisation against `nn.BatchNorm2d`, and the lagging kind of appendix E."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from methods.realnvp.flow_norm import FlowNorm
from methods.realnvp.masks import checkerboard
from tests.methods.realnvp.settings import normal


def batch(seed: int = 0) -> Tensor:
    return 3 * normal(16, 2, 4, 6, seed=seed) + torch.tensor([1.0, -5.0]).reshape(1, 2, 1, 1)


def test_without_a_mask_it_is_batch_normalisation() -> None:
    ours, theirs = FlowNorm(2).double(), nn.BatchNorm2d(2, eps=1e-4, affine=False).double()
    x, y = batch().requires_grad_(), batch().requires_grad_()
    weights = normal(*x.shape, seed=3)
    for norm, v in ((lambda v: ours(v)[0], x), (theirs, y)):
        result = norm(v)
        (result * weights).sum().backward()
    torch.testing.assert_close(ours(batch())[0], theirs(batch()))
    torch.testing.assert_close(x.grad, y.grad)


def test_log_det_counts_every_changed_position() -> None:
    norm = FlowNorm(1).eval()
    norm.running_var.fill_(torch.e**2 - norm.eps)
    assert norm(torch.zeros(5, 1, 4, 6))[1].item() == pytest.approx(-24)
    assert norm(torch.zeros(5, 1, 4, 6), checkerboard(4, 6))[1].item() == pytest.approx(-12)


def test_training_log_det_is_that_of_the_batch_variance() -> None:
    x = batch()
    _, log_det = FlowNorm(2).double()(x)
    expected = -0.5 * 24 * (x.var(dim=(0, 2, 3), correction=0) + 1e-4).log().sum()
    torch.testing.assert_close(log_det, expected)


def test_the_inverse_uses_the_moving_moments_also_in_training() -> None:
    norm = FlowNorm(2).double()
    for seed in range(20):
        norm(batch(seed))
    x = batch(99)
    assert (norm.inverse(norm.eval()(x)[0])[0] - x).abs().max() < 1e-9
    inverse = norm.train().inverse(x)[0]
    assert torch.equal(inverse, norm.eval().inverse(x)[0])


class TestLag:
    """Appendix E: moving moments in training, gradients through the batch's share only."""

    def test_the_first_batches_are_averaged_and_later_ones_enter_with_one_minus_rho(self) -> None:
        norm = FlowNorm(2, lag=0.75).double()
        means = [batch(seed).mean(dim=(0, 2, 3), keepdim=True) for seed in range(6)]
        for seed in range(4):
            norm(batch(seed))
        torch.testing.assert_close(norm.running_mean, sum(means[:4]) / 4)
        norm(batch(4))
        torch.testing.assert_close(norm.running_mean, 0.75 * sum(means[:4]) / 4 + 0.25 * means[4])

    def test_training_uses_the_moving_moments(self) -> None:
        norm = FlowNorm(2, lag=0.75).double()
        for seed in range(5):
            y, log_det = norm(batch(seed))
        expected, expected_log_det = norm.eval()(batch(4))
        torch.testing.assert_close(y, expected)
        torch.testing.assert_close(log_det, expected_log_det)

    def test_gradients_see_the_batch_with_its_share(self) -> None:
        """A shift of all inputs moves the mean by a quarter of it, so three quarters arrive."""
        norm = FlowNorm(1, lag=0.75).double()
        for seed in range(4):
            norm(normal(8, 1, 4, 4, seed=seed))
        shift = torch.zeros((), dtype=torch.float64, requires_grad=True)
        y, _ = norm(normal(8, 1, 4, 4, seed=9) + shift)
        y.mean().backward()
        scale = (norm.running_var + norm.eps).rsqrt().item()
        assert shift.grad is not None
        # the variance does not react to a shift
        assert shift.grad.item() == pytest.approx(0.75 * scale)

    def test_rho_zero_is_the_batch_itself(self) -> None:
        free = checkerboard(4, 6).double()
        ours, theirs = FlowNorm(2, lag=0.0).double(), FlowNorm(2).double()
        ours(batch(1), free)
        torch.testing.assert_close(ours(batch(), free), theirs(batch(), free))
