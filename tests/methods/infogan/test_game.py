"""The game: whom each gradient reaches, and that without a reward it is the GAN's."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce
from torch.nn.functional import softplus

from datasets.types import ImageBatch
from methods.infogan.checks import Steps
from methods.infogan.game import Game
from runner.api import Inputs
from runner.compose import Composer
from tests.methods.infogan.data import images
from tests.methods.infogan.plain import Plain

State = dict[str, torch.Tensor]
SMALL = ("method.width=0.1", "method.judge_steps=0", "method.noise=8", "method.fresh=true")


def game(*words: str, seed: int = 0, **more: Any) -> tuple[Game, ImageBatch]:
    name = words[0] if words else "infogan"
    config = Composer([f"method={name}", *SMALL, *words[1:]]).compose().method_config
    made = Game(config)
    torch.manual_seed(seed)
    made.build(Inputs(images(**more), torch.device("cpu"), steps=1, batch_size=16, seed=0))
    return made, made.batch(torch.arange(16))


def states(made: Game) -> dict[str, State]:
    modules = {"generator": made.generator, "discriminator": made.discriminator, "guess": made.guess}
    return {
        name: {key: value.clone() for key, value in module.state_dict().items()}
        for name, module in modules.items()
    }


def moved(before: State, after: State) -> bool:
    return any(not torch.equal(before[key], after[key]) for key in before if "running" not in key)


def steps(made: Game, batch: ImageBatch, many: int, seed: int = 5) -> None:
    for step in range(many):
        torch.manual_seed(seed + step)
        made.step(batch, Steps(), step)


def by_hand(made: Game, batch: ImageBatch, many: int, seed: int = 5) -> None:
    """A plain GAN's steps, on the networks of `made`, without Q."""
    for step in range(many):
        torch.manual_seed(seed + step)
        for module in (made.generator, made.discriminator):
            module.train()
        real = batch.images.float() / (made.data.levels - 1)
        with torch.no_grad():
            codes = made.codes.draw(len(real))
            fake = made.generator(torch.cat((made.noise(len(real)), codes), 1))
        said = made.discriminator.both(real, fake)
        loss = softplus(-said[0]).mean() + softplus(said[1]).mean()
        made.d_optimizer.zero_grad()
        loss.backward(inputs=list(made.discriminator.parameters()))
        made.d_optimizer.step()
        codes = made.codes.draw(len(real))
        fake = made.generator(torch.cat((made.noise(len(real)), codes), 1))
        loss = softplus(-made.discriminator(fake)[0]).mean()
        made.g_optimizer.zero_grad()
        loss.backward(inputs=list(made.generator.parameters()))
        made.g_optimizer.step()


@pytest.mark.parametrize(
    "words", [("gan",), ("infogan", "method.lambda_disc=0", "method.lambda_cont=0")], ids=["gan", "lambda=0"]
)
def test_without_a_reward_it_is_the_gan_bit_for_bit(words: tuple[str, ...]) -> None:
    (ours, batch), (plain, _) = game(*words), game("gan")
    steps(ours, batch, 4)
    by_hand(plain, batch, 4)
    for name in ("generator", "discriminator"):
        for key, value in states(plain)[name].items():
            torch.testing.assert_close(states(ours)[name][key], value, rtol=0, atol=0, msg=f"{name} {key}")


def test_its_steps_are_those_of_the_plain_formulation() -> None:
    """Which goes back through all that it touches, and leaves the gradients of others behind."""
    words = ("infogan", "method.q_sd=fixed", "method.lambda_cont=0.3", "method.uniform=2")
    (ours, batch), (other, _) = game(*words), game(*words)
    plain = Plain(other, fused=True)
    steps(ours, batch, 4)
    for step in range(4):
        torch.manual_seed(5 + step)
        plain.step(batch)
    for name, state in states(other).items():
        for key, value in state.items():
            torch.testing.assert_close(
                states(ours)[name][key], value, rtol=1e-4, atol=1e-6, msg=f"{name} {key}"
            )


def test_the_controls_q_learns_all_the_same() -> None:
    made, batch = game("gan")
    before = states(made)
    steps(made, batch, 1)
    assert moved(before["guess"], states(made)["guess"])


def reached(made: Game, batch: ImageBatch, loss: str) -> dict[str, bool]:
    """Which networks have gradients by the reward alone."""
    modules: dict[str, nn.Module] = {
        "generator": made.generator, "trunk": made.discriminator.trunk, "head": made.discriminator.head,
        "guess": made.guess,
    }  # fmt: skip
    told = {}

    class Reward:
        def minimise(self, optimizer: Any, function: Any, batch: Any, clip: Any = None) -> Any:
            own = [p for group in optimizer.param_groups for p in group["params"]]
            value, metrics = function(batch)
            found = torch.autograd.grad(value, own, allow_unused=True)
            told["d" if optimizer is made.d_optimizer else "g"] = {
                id(p): g is not None and bool(g.abs().max() > 0) for p, g in zip(own, found, strict=True)
            }
            return {**metrics, "loss": value.detach()}

    made.step(batch, Reward(), 0)  # type: ignore[arg-type]
    return {
        name: any(told[loss].get(id(p), False) for p in module.parameters())
        for name, module in modules.items()
    }


def test_each_step_reaches_whom_it_should() -> None:
    made, batch = game("infogan")
    d, g = (reached(made, batch, loss) for loss in "dg")
    assert d == {"generator": False, "trunk": True, "head": True, "guess": True}
    assert g == {"generator": True, "trunk": False, "head": False, "guess": False}
    made, batch = game("infogan", "method.routing=port")
    d, g = (reached(made, batch, loss) for loss in "dg")
    assert d == {"generator": False, "trunk": True, "head": True, "guess": False}
    assert g == {"generator": True, "trunk": False, "head": False, "guess": True}


@pytest.mark.parametrize("routing", ["openai", "port"])
def test_the_trunk_learns_from_codes_in_one_routing_alone(routing: str) -> None:
    """With and without a reward, one step of the discriminator from the same place."""
    found = []
    for weight in (0.5, 3.0):
        words = (f"method.routing={routing}", f"method.lambda_disc={weight}")
        made, batch = game("infogan", *words)
        steps(made, batch, 1)
        found.append(states(made)["discriminator"])
    assert moved(*found) == (routing == "openai")


def test_the_generators_reward_is_lambda_times_the_bound() -> None:
    made, _ = game("infogan", "method.lambda_disc=0.7", "method.lambda_cont=0.2")
    told = torch.tensor([1.5, 0.25, -0.5])
    assert float(made.worth(told, learn=False)) == pytest.approx(0.7 * 1.5 + 0.2 * (0.25 - 0.5))


def test_shared_fakes_are_those_of_the_discriminators_step() -> None:
    made, batch = game("infogan", "method.fresh=false")
    torch.manual_seed(1)
    made._made = []
    made.d_loss(batch)
    ((fakes, codes),) = made._made
    assert fakes.requires_grad
    made.g_loss(batch)
    assert made._made == []
    steps(made, batch, 2)
    assert codes.shape == (16, made.codes.width)


def test_smoothing_is_the_cross_entropy_of_the_smoothed_target() -> None:
    made, batch = game("gan", "method.smoothing=0.1")
    torch.manual_seed(3)
    made._made = []
    for module in (made.generator, made.discriminator, made.guess):
        module.train()
    codes_first = torch.get_rng_state()
    loss, _ = made.d_loss(batch)
    torch.set_rng_state(codes_first)
    fakes, codes = made.make(16)
    real, fake = (made.discriminator(x)[0] for x in (made.levels(batch.images), fakes.detach()))
    told = made.codes.information(made.guess(made.trunk(fakes.detach())), codes).sum()
    wanted = bce(real, torch.full((16,), 0.9)) + bce(fake, torch.zeros(16)) - told
    torch.testing.assert_close(loss, wanted, rtol=1e-4, atol=1e-4)


def test_parameters_on_mnist_are_those_of_the_authors_code() -> None:
    """Counted by hand from its layers, less the biases in front of batch normalisation, which cancel."""
    made, _ = game("infogan", "dataset=mnist", "method.width=1", "method.noise=62", shape=(1, 28, 28))
    units, convolved = 7 * 7 * 128, 64 * 128 * 4 * 4
    first, last = 74 * 1024 + 2 * 1024, 64 * 4 * 4 + 1
    counts = {
        made.generator: first + (1024 + 2) * units + convolved + 2 * 64 + last,
        made.trunk: 64 * 4 * 4 + 64 + convolved + 2 * 128 + (units + 2) * 1024,
        made.guess: (1024 + 2) * 128 + (128 + 1) * 14,
    }
    for module, count in counts.items():
        assert sum(p.numel() for p in module.parameters()) == count


@pytest.mark.parametrize(("network", "over"), [("mnist", (0,)), ("mnist_port", (0, 2, 3))])
def test_the_first_map_is_normalised_by_unit_or_by_channel(network: str, over: tuple[int, ...]) -> None:
    """torch's own layer normalises to offset 0 and scale 1 what it takes moments over, and nothing else."""
    made, _ = game("infogan", f"method.network={network}", "method.width=0.05", shape=(1, 28, 28))
    norm = next(
        m for m in made.generator.start[::-1] if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)
    ).train()  # fmt: skip
    nn.init.ones_(norm.weight)
    seen: list[torch.Tensor] = []
    norm.register_forward_hook(lambda module, given, out: seen.append(out))
    made.make(64)
    maps = seen[0].reshape(64, -1, 7, 7)
    torch.testing.assert_close(maps.mean(over), torch.zeros_like(maps.mean(over)), atol=1e-4, rtol=0)
    spread = maps.mean((0,)).abs().max()
    assert (spread < 1e-4) == (network == "mnist")


@pytest.mark.parametrize(
    ("network", "side"), [("mnist", 28), ("mnist_port", 28), ("svhn", 32), ("chairs", 64)]
)
@pytest.mark.parametrize("words", [(), ("method.spectral_norm=true", "method.q_network=separate")])
def test_every_network_makes_images_of_the_datas_size(
    network: str, side: int, words: tuple[str, ...]
) -> None:
    made, batch = game("infogan", f"method.network={network}", *words, shape=(3, side, side))
    assert made.make(5)[0].shape == (5, 3, side, side)
    steps(made, batch, 1)
