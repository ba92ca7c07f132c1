"""One optimiser step, against the same step written with torch alone."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from runner.engine.update import Updater
from runner.errors import NotFinite

CPU = torch.device("cpu")


def setting() -> tuple[nn.Module, tuple[Tensor, Tensor]]:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3)), (
        torch.randn(12, 5),
        torch.randint(3, (12,)),
    )


def cross_entropy(net: nn.Module):  # type: ignore[no-untyped-def]
    def loss(batch: tuple[Tensor, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        logits = net(batch[0])
        return nn.functional.cross_entropy(logits, batch[1]), {"mean": logits.mean()}

    return loss


def parameters(net: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in net.parameters()])


@pytest.mark.parametrize("clip", [None, 0.05])
def test_a_step_is_torchs(clip: float | None) -> None:
    net, batch = setting()
    other = copy.deepcopy(net)
    optimizer, reference = (torch.optim.Adam(m.parameters(), lr=0.1) for m in (net, other))
    found = Updater(CPU, "fp32", 1, clip).minimise(optimizer, cross_entropy(net), batch)
    loss = nn.functional.cross_entropy(other(batch[0]), batch[1])
    loss.backward()
    if clip is not None:
        norm = nn.utils.clip_grad_norm_(other.parameters(), clip)
        assert torch.allclose(found["grad_norm"], norm)
    reference.step()
    assert torch.equal(parameters(net), parameters(other))
    assert torch.equal(found["loss"], loss.detach())
    assert all(p.grad is None for p in net.parameters())


@pytest.mark.parametrize("accumulate", [2, 3, 5, 12])
def test_accumulation_gives_the_gradient_of_the_whole_batch(accumulate: int) -> None:
    """Also where the batch does not divide: micro-batches count by their size."""
    net, batch = setting()
    other = copy.deepcopy(net)
    optimizer, reference = (torch.optim.SGD(m.parameters(), lr=1.0) for m in (net, other))
    whole = Updater(CPU, "fp32", 1, None).minimise(reference, cross_entropy(other), batch)
    parts = Updater(CPU, "fp32", accumulate, None).minimise(optimizer, cross_entropy(net), batch)
    assert torch.allclose(parameters(net), parameters(other), atol=1e-6)
    assert torch.allclose(parts["loss"], whole["loss"], atol=1e-6)
    assert torch.allclose(parts["mean"], whole["mean"], atol=1e-6)


def test_gradients_go_to_this_optimisers_parameters_only() -> None:
    """As in a GAN: the generator's step runs through the discriminator and leaves it alone."""
    torch.manual_seed(0)
    generator, discriminator = nn.Linear(2, 2), nn.Linear(2, 1)
    before = parameters(discriminator)
    optimizer = torch.optim.SGD(generator.parameters(), lr=1.0)
    Updater(CPU, "fp32", 1, None).minimise(
        optimizer, lambda z: (discriminator(generator(z)).mean(), {}), torch.ones(4, 2)
    )
    assert torch.equal(parameters(discriminator), before)
    assert all(p.grad is None for p in discriminator.parameters())


def test_unused_and_frozen_parameters_are_left_alone() -> None:
    used, unused, frozen = nn.Linear(2, 1), nn.Linear(2, 1), nn.Linear(2, 1).requires_grad_(False)
    before = parameters(unused), parameters(frozen)
    everything = [*used.parameters(), *unused.parameters(), *frozen.parameters()]
    optimizer = torch.optim.SGD(everything, lr=1.0)
    Updater(CPU, "fp32", 1, 1.0).minimise(
        optimizer, lambda x: (used(x).mean() + frozen(x).mean(), {}), torch.ones(3, 2)
    )
    assert torch.equal(parameters(unused), before[0])
    assert torch.equal(parameters(frozen), before[1])


def test_every_optimiser_is_shown_once_before_its_first_step() -> None:
    net, batch = setting()
    optimizers = [torch.optim.SGD(net.parameters(), lr=0.1) for _ in range(2)]
    shown: list[torch.optim.Optimizer] = []
    updater = Updater(torch.device("cpu"), "fp32", 1, None, shown.append)
    for _ in range(2):
        updater.minimise(optimizers[0], cross_entropy(net), batch)
        updater.apply(optimizers[1], [torch.ones_like(p) for p in net.parameters()])
    assert [id(optimizer) for optimizer in shown] == [id(optimizer) for optimizer in optimizers]


def test_gradients_set_by_hand() -> None:
    weight = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    bias = torch.nn.Parameter(torch.tensor([5.0]))
    optimizer = torch.optim.SGD([weight, bias], lr=0.5)
    found = Updater(CPU, "fp32", 1, None).apply(optimizer, [torch.tensor([3.0, 4.0]), None], clip=1.0)
    assert found["grad_norm"].item() == pytest.approx(5.0)
    assert torch.allclose(weight.detach(), torch.tensor([1.0 - 0.3, 2.0 - 0.4]))
    assert bias.item() == 5.0


@pytest.mark.parametrize(("precision", "dtype"), [("bf16", torch.bfloat16), ("fp16", torch.float16)])
def test_lower_precision_runs_forward_in_it_and_keeps_parameters(precision: str, dtype: torch.dtype) -> None:
    net, batch = setting()
    seen = []
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

    def loss(part: tuple[Tensor, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        logits = net(part[0])
        seen.append(logits.dtype)
        return nn.functional.cross_entropy(logits.float(), part[1]), {}

    other = copy.deepcopy(net)
    Updater(CPU, precision, 2, None).minimise(optimizer, loss, batch)
    assert seen == [dtype, dtype]
    assert all(p.dtype == torch.float32 for p in net.parameters())
    reference = torch.optim.SGD(other.parameters(), lr=0.1)
    Updater(CPU, "fp32", 1, None).minimise(reference, cross_entropy(other), batch)
    assert torch.allclose(parameters(net), parameters(other), atol=2e-3)


def test_an_overflow_under_fp16_skips_the_step_and_lowers_the_scale() -> None:
    weight = torch.nn.Parameter(torch.tensor([1.0]))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    update = Updater(CPU, "fp16", 1, None)
    scale = update.scaler.get_scale()
    update.minimise(optimizer, lambda x: ((weight * x).sum() * 1e36, {}), torch.ones(1))
    assert weight.item() == 1.0
    assert update.scaler.get_scale() < scale


def test_a_bad_loss_or_gradient_stops_before_the_parameters_change() -> None:
    net, batch = setting()
    before = parameters(net)
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
    with pytest.raises(NotFinite, match="loss is nan"):
        Updater(CPU, "fp32", 1, None).minimise(
            optimizer, lambda b: (net(b[0]).mean() * float("nan"), {}), batch
        )
    root = lambda b: ((net(b[0]) * 0).pow(2).sum().sqrt(), {})  # noqa: E731 - finite, with an infinite slope
    with pytest.raises(NotFinite, match="gradient"):
        Updater(CPU, "fp32", 1, 1.0).minimise(optimizer, root, batch)
    assert torch.equal(parameters(net), before)
