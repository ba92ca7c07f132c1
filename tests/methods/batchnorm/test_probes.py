"""How gradients turn, how full sigmoids are, and how well running moments fit."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from datasets.types import ImageBatch
from methods.batchnorm.covariate import GradientShift, layers_of, shifts
from methods.batchnorm.layers import Layers, running_error, saturation
from methods.batchnorm.method import LEVELS
from methods.common.norm.recalibrate import batch_moments
from tests.methods.common.classify.settings import built, images, train


class Two(nn.Module):
    """Two linear maps, so that the gradient by the second is known: (softmax - onehot) times the hidden."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 4), nn.Linear(4, 2, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.second(self.first(x))
        return y


def test_the_shift_of_the_second_layer_by_hand() -> None:
    torch.manual_seed(0)
    model = Two().double()
    batch = ImageBatch(torch.randn(5, 3).double(), torch.tensor([0, 1, 0, 1, 1]))
    old = {name: p.detach().clone() for name, p in model.named_parameters()}
    new = {name: p + 0.3 * torch.randn_like(p) for name, p in old.items()}

    def gradient(first: dict[str, torch.Tensor]) -> torch.Tensor:
        """By the *old* second layer."""
        hidden = batch.images @ first["first.weight"].T + first["first.bias"]
        error = (hidden @ old["second.weight"].T).softmax(1) - nn.functional.one_hot(batch.labels)
        return (error.T @ hidden / 5).flatten()

    assert layers_of(model) == [["first.weight", "first.bias"], ["second.weight"]]
    ((distance, cosine),) = shifts(model, layers_of(model), old, new, batch)
    before, after = gradient(old), gradient(new)
    assert distance == pytest.approx(((after - before).norm() / before.norm()).item())
    assert cosine == pytest.approx((after @ before / after.norm() / before.norm()).item())


def test_all_layers_before_are_updated_and_no_other() -> None:
    """Of three maps, the last one's gradient where the first two are new: (softmax - onehot) times that
    hidden."""
    torch.manual_seed(0)
    model = nn.Sequential(*(nn.Linear(3, 3, bias=False) for _ in range(3))).double()
    batch = ImageBatch(torch.randn(5, 3).double(), torch.tensor([0, 1, 2, 1, 1]))
    old = {name: p.detach().clone() for name, p in model.named_parameters()}
    new = {name: p + 0.5 * torch.randn_like(p) for name, p in old.items()}

    def gradient(before: dict[str, torch.Tensor]) -> torch.Tensor:
        hidden = batch.images @ before["0.weight"].T @ before["1.weight"].T
        error = (hidden @ old["2.weight"].T).softmax(1) - nn.functional.one_hot(batch.labels)
        return (error.T @ hidden / 5).flatten()

    _, (distance, cosine) = shifts(model, layers_of(model), old, new, batch)
    before, after = gradient(old), gradient(new)
    assert distance == pytest.approx(((after - before).norm() / before.norm()).item())
    assert cosine == pytest.approx((after @ before / after.norm() / before.norm()).item())


def test_without_an_update_nothing_turns() -> None:
    model = Two().double()
    batch = ImageBatch(torch.randn(5, 3).double(), torch.tensor([0, 1, 0, 1, 1]))
    same = {name: p.detach() for name, p in model.named_parameters()}
    ((distance, cosine),) = shifts(model, layers_of(model), same, same, batch)
    assert distance == pytest.approx(0, abs=1e-12)
    assert cosine == pytest.approx(1)


def test_the_shift_is_measured_when_due_and_changes_nothing() -> None:
    probe = GradientShift(10)
    with_probe, without = built(probe, dropout=0.3), built(dropout=0.3)
    torch.manual_seed(5)
    logged = train(with_probe, 10)
    torch.manual_seed(5)
    train(without, 10)
    assert [i + 1 for i, found in enumerate(logged) if "ics_cosine" in found] == [10]
    assert logged[9]["ics_cosine"] == pytest.approx(probe.metrics()["ics_cosine"])
    for name, value in without.classifier.state_dict().items():
        assert torch.equal(with_probe.classifier.state_dict()[name], value), name
    other = GradientShift(10)
    built(other)
    assert other.metrics() == {}
    other.load_state_dict(probe.state_dict())
    assert other.metrics() == probe.metrics()


def test_layers_without_a_gradient_are_left_out() -> None:
    """A residual block whose last gain is 0 passes no gradient to its convolutions, at the first look."""
    probe = GradientShift(1)
    made = built(probe, network="resnet", norm="batch", zero_gamma=True, lr=0.05)
    first, _ = train(made, 2)
    assert 0 < first["ics_cosine"] <= 1
    found = probe.metrics()
    assert all(math.isfinite(value) for value in found.values())
    assert sum(name.startswith("ics_cosine_") for name in found) == len(layers_of(made.classifier)) - 1
    blocked = probe.history[0, 1].isnan()
    assert 0 < blocked.sum() < len(blocked)
    assert not probe.history[1].isnan().any()
    assert probe.figures()["gradient_shift"].axes


@pytest.mark.parametrize("norm", ["batch", "renorm"])
def test_all_gradients_see_the_same_running_moments(norm: str) -> None:
    """Without an update no layer's gradient turns, although each pass would move the running moments."""
    made = built(norm=norm, norm_momentum=0.5)
    train(made, 3)
    made.classifier.train()
    same = {name: p.detach() for name, p in made.classifier.named_parameters()}
    batch = made.batch(made.sample(3))
    for distance, cosine in shifts(made.classifier, layers_of(made.classifier), same, same, batch):
        assert distance == pytest.approx(0, abs=1e-6)
        assert cosine == pytest.approx(1)


def test_saturation_is_drawn() -> None:
    probe = Layers()
    built(probe, hidden=(6, 5, 4))
    figure = probe.figures()["saturation"]
    shown = [axes.get_title(loc="left") for axes in figure.axes]
    shares = [probe.metrics()[f"saturated_{i}"] for i in (1, 2, 3)]
    assert shown == [f"layer {i + 1}: {100 * s:.0f} % in the flat parts" for i, s in enumerate(shares)]
    built(relu := Layers(), activation="relu")
    assert relu.figures() == {}


def test_saturation_by_hand() -> None:
    """s (1 - s) is below 0.05 from 2.887 on: of -3, -2.8, 0 and 9 half."""
    model = nn.Sequential(nn.Sigmoid(), nn.Linear(1, 1), nn.Sigmoid())
    nn.init.zeros_(model[1].weight)
    found = saturation(model, torch.tensor([-3.0, -2.8, 0.0, 9.0]).unsqueeze(1))
    assert found == {"saturated_1": 0.5, "saturated_2": 0.0, "saturated": 0.25}
    assert saturation(nn.ReLU(), torch.zeros(2)) == {}


def test_the_running_moments_error_by_hand() -> None:
    """A batch of mean 2 and deviation 1, where the running mean is 0.5."""
    norm = nn.BatchNorm1d(1, eps=1e-12)
    norm.running_mean.fill_(0.5)
    assert running_error(nn.Sequential(norm), torch.tensor([[1.0], [3.0]]))["running_error"] == pytest.approx(
        1.5
    )
    assert running_error(nn.ReLU(), torch.zeros(2)) == {}


def test_a_single_image_to_look_at_is_refused() -> None:
    data = images(64)
    object.__setattr__(data, "validation", images(1).validation)
    with pytest.raises(ValueError, match="the validation part has one image"):
        built(Layers(), data=data)


@pytest.mark.parametrize("momentum", [0.1, 1.0])
def test_the_running_moments_are_those_of_before_the_look(momentum: float) -> None:
    probe = Layers()
    made = built(probe, norm_momentum=momentum)
    train(made, 10)
    with batch_moments(made.classifier):
        alone = running_error(made.classifier, probe.images)
    assert probe.metrics()["running_error"] == alone["running_error"] > 0.01


def test_layers_are_measured_without_a_change() -> None:
    probe = Layers()
    made = built(probe)
    train(made, 10)
    before = {name: value.clone() for name, value in made.classifier.state_dict().items()}
    found = probe.metrics()
    assert {"saturated", "running_error"} <= found.keys()
    assert all(torch.equal(made.classifier.state_dict()[name], value) for name, value in before.items())


def test_the_quantiles_are_those_of_the_papers_figure() -> None:
    """Figure 1: the 15th, 50th and 85th percentile."""
    assert LEVELS == (0.15, 0.5, 0.85)
