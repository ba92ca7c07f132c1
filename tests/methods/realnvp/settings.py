"""Small flows for the tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn

from methods.realnvp.config import CompleteConfig, RealNVPConfig
from methods.realnvp.multiscale import RealNVP
from runner.schema import build

CONF = Path(__file__).resolve().parents[3] / "conf"


def config(**changes: Any) -> RealNVPConfig:
    """The method's YAML, made small, with `changes`."""
    node = yaml.safe_load((CONF / "method" / "realnvp.yaml").read_text())
    node.pop("defaults")
    small = {"n_scale": 2, "blocks": 1, "width": 4, "lr": 1e-3, "eps": 1e-8, "l2": 5e-5}
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in node.items()}
    values["complete"] = build(CompleteConfig, node["complete"], "method.complete", "realnvp.yaml")
    return RealNVPConfig(**{**values, **small, **changes})


@torch.no_grad()
def randomise(module: nn.Module, seed: int = 0) -> None:
    """Random weights and moments, so that no initial zero hides a mistake."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        if name.endswith("running_var"):
            tensor.copy_(torch.rand(tensor.shape, generator=generator, dtype=tensor.dtype) + 0.5)
        elif name.endswith(("batches", "magnitude")) or "_mask" in name:
            continue
        else:
            tensor.copy_(0.5 * torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype))


def flow(shape: tuple[int, int, int], **changes: Any) -> RealNVP:
    """A flow in float64 and evaluation mode, with random weights and moments."""
    torch.manual_seed(0)
    made = RealNVP(shape, config(**changes)).double().eval()
    randomise(made)
    return made


def randomised(module: nn.Module) -> nn.Module:
    """`module` in float64 and evaluation mode, with random weights and moments."""
    module = module.double().eval()
    randomise(module)
    return module


def normal(*shape: int, seed: int = 0) -> Tensor:
    """Standard normal float64 numbers, always the same ones."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
