"""On a CUDA device every method trains a few steps, and a function is the one that it is on a CPU."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn

from methods.common.fewshot.conv4 import Conv4
from methods.imaml.implicit import Implicit
from methods.imaml.inner import Inner
from methods.imaml.meta import implicit, unrolled
from methods.imaml.network import Flat, conv4, mlp
from methods.imaml.tasks import Losses, Tasks
from methods.realnvp.network import ResidualNet
from runner import cli
from tests.methods.common.norm.layers import PAIRS, Pair, draw

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA"),
]
ON_PICTURES = ("realnvp", "pixelcnn", "batchnorm", "groupnorm")
FEWSHOT = {
    "protonet": ("dataset=glyphs", "method.episodes=20", "method.validation_episodes=20"),
    "matching": ("dataset=glyphs", "method.episodes=20", "method.validation_episodes=20"),
    **{
        f"{method}, {network}": (*words, "method.episodes=8", "method.validation_episodes=8")
        for method in ("imaml", "maml", "fomaml", "reptile", "anil")
        for network, words in {
            "sines": ("dataset=sinusoid",),
            "glyphs": ("dataset=glyphs", "method.network=conv4", "method.filters=8", "method.shot=1"),
        }.items()
    },
}


def results(outputs: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(outputs.glob("*/*/result.json"))]


def trained(place: Path, *words: str) -> Path:
    """The folder of a run that is told `words`, of six steps on a GPU."""
    assert cli.main([*words, "trainer.steps=6", "device=cuda", f"outputs={place}"]) == 0
    (made,) = results(place)
    assert made["status"] == "completed"
    assert made["device"].startswith("cuda")
    return next(place.glob("*/*/result.json")).parent


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("method", ON_PICTURES)
def test_a_method_trains(method: str, precision: str, tmp_path: Path) -> None:
    trained(tmp_path, f"method={method}", "dataset=digits", f"precision={precision}")


@pytest.mark.parametrize("case", FEWSHOT)
def test_a_method_learns_from_few(case: str, tmp_path: Path) -> None:
    trained(tmp_path, f"method={case.split(',')[0]}", *FEWSHOT[case])


@pytest.mark.parametrize("method", ["protonet", "matching"])
def test_a_method_learns_from_few_in_half_of_the_bits(method: str, tmp_path: Path) -> None:
    trained(tmp_path, f"method={method}", *FEWSHOT[method], "precision=bf16")


@pytest.mark.parametrize("method", [*ON_PICTURES, "protonet", "imaml"])
def test_a_method_draws_the_same_numbers_twice(method: str, tmp_path: Path) -> None:
    """Two runs end in the same weights, bit for bit: the promise that resuming rests on."""
    words = FEWSHOT.get(method, FEWSHOT.get(f"{method}, sines", ("dataset=digits",)))
    found = [
        torch.load(next(trained(tmp_path / place, f"method={method}", *words).glob("**/*.pt")), "cpu")
        for place in "ab"
    ]
    a, b = (list(tensors(state)) for state in found)
    assert len(a) > 3
    for one, other in zip(a, b, strict=True):
        assert torch.equal(one, other)


def tensors(state: Any) -> Iterable[Tensor]:
    """All tensors in nested containers, in order; not what a clock made."""
    if isinstance(state, Tensor):
        yield state
    elif isinstance(state, dict):
        for value in state.values():
            yield from tensors(value)
    elif isinstance(state, (list, tuple)):
        for value in state:
            yield from tensors(value)


def both(module: nn.Module, x: Tensor) -> list[list[Tensor]]:
    """On a CPU and on a GPU: the output, and the gradients of its squares by the input and the parameters."""
    found = []
    for device in ("cpu", "cuda"):
        module.to(device)
        asked = x.to(device).requires_grad_()
        out = module(asked)
        gradients = torch.autograd.grad(out.square().sum(), [asked, *module.parameters()])
        found.append([tensor.detach().cpu() for tensor in (out, *gradients)])
    return found


def agree(found: list[list[Tensor]], rtol: float = 1e-9, atol: float = 1e-9) -> None:
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=rtol, atol=atol)


@pytest.mark.parametrize("norm", ["batch", "none"])
@pytest.mark.parametrize("training", [True, False])
def test_a_couplings_network_is_the_same_function_there(norm: str, training: bool) -> None:
    torch.manual_seed(0)
    net = ResidualNet(3, 6, 8, 2, norm=norm).double().train(training)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    agree(both(net, torch.randn(4, 3, 8, 8, dtype=torch.float64)), 1e-3, 1e-6)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
@pytest.mark.parametrize("which", ["ours", "torch.nn"])
def test_a_norm_is_the_same_function_there(pair: Pair, which: str) -> None:
    ours, torchs = pair.made()
    agree(both(ours if which == "ours" else torchs, draw(pair.shape)))
    for name, buffer in torchs.named_buffers():
        assert buffer.shape == ours.get_buffer(name).shape


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16], ids=str)
def test_statistics_are_single_precision_under_autocast(pair: Pair, kind: torch.dtype) -> None:
    """Numbers about 200 that differ by 1: their mean and deviation are lost in half of the bits."""
    ours = pair.made(torch.float32)[0].cuda()
    x = (200 + draw(pair.shape, dtype=torch.float32)).to(kind).cuda()
    with torch.autocast("cuda", kind):
        found = ours(x).float()
    wanted = pair.made()[0].cuda()(x.double()).float()
    torch.testing.assert_close(found, wanted, rtol=2e-2, atol=2e-2)


def test_an_encoder_is_the_same_function_there() -> None:
    torch.manual_seed(0)
    agree(both(Conv4((1, 28, 28), 8).double(), draw((6, 1, 28, 28))), 1e-7, 1e-7)


@pytest.mark.parametrize("how", ["vmap", "loop"])
@pytest.mark.parametrize("network", ["mlp", "conv4"])
def test_meta_gradients_are_the_same_there(network: str, how: Literal["vmap", "loop"]) -> None:
    """Through three steps of gradient descent, and implicitly, for four tasks."""
    torch.manual_seed(0)
    shape = (1, 8, 8)
    net = (mlp(64, (8,), 1, "tanh") if network == "mlp" else conv4(shape, 4, 2, 1)).double()
    x, y = draw((4, 10, *shape), 1), draw((4, 10, 1), 2)
    found = []
    for device in ("cpu", "cuda"):
        flat = Flat(net.to(device), how)

        def losses(part: slice, flat: Flat = flat, device: str = device) -> Losses:
            a, b = x[:, part].to(device), y[:, part].to(device)
            return lambda phi: (flat(phi, a) - b).square().mean((1, 2))

        tasks, theta = Tasks(losses(slice(0, 5)), losses(slice(5, 10))), flat.vector().detach()
        lam = torch.tensor(2.0, dtype=torch.float64, device=device)
        made = [
            unrolled(tasks, theta, 0.1, 3, 4),
            implicit(tasks, theta, lam, Inner("gd", 3, 0.1), Implicit(steps=5), 4),
        ]
        found.append([one.gradient.cpu() for one in made])
    for one, other in zip(
        *found, strict=True
    ):  # single entries are nothing but rounding: offsets before a norm
        assert (one - other).norm() <= 1e-6 * one.norm()
