"""On a CUDA device every method trains a few steps, and a network is the function that it is on a CPU."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from methods.realnvp.network import ResidualNet
from runner import cli

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA"),
]
METHODS = ("realnvp", "pixelcnn", "batchnorm", "groupnorm")


def results(outputs: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(outputs.glob("*/*/result.json"))]


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("method", METHODS)
def test_a_method_trains(method: str, precision: str, tmp_path: Path) -> None:
    words = [f"method={method}", "dataset=digits", "trainer.steps=6", "device=cuda", f"precision={precision}"]
    assert cli.main([*words, f"outputs={tmp_path}"]) == 0
    (made,) = results(tmp_path)
    assert made["status"] == "completed"
    assert made["device"].startswith("cuda")


@pytest.mark.parametrize("norm", ["batch", "none"])
@pytest.mark.parametrize("training", [True, False])
def test_a_couplings_network_is_the_same_function_there(norm: str, training: bool) -> None:
    torch.manual_seed(0)
    net = ResidualNet(3, 6, 8, 2, norm=norm).double().train(training)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    x = torch.randn(4, 3, 8, 8, dtype=torch.float64)
    found = []
    for device in ("cpu", "cuda"):
        net.to(device)
        asked = x.to(device).requires_grad_()
        out = net(asked)
        gradients = torch.autograd.grad(out.square().sum(), [asked, *net.parameters()])
        found.append([tensor.detach().cpu() for tensor in (out, *gradients)])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-6)
