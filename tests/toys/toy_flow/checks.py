"""What the toy flow says holds exactly."""

from __future__ import annotations

import torch

from runner.api import Inputs, Metrics

from .config import FlowConfig
from .method import Flow


def log_det(config: FlowConfig, inputs: Inputs) -> Metrics:
    """The log-determinants of 32 points against autograd's, in float64."""
    flow = Flow(config).double().eval()
    points = torch.randn(32, 2, dtype=torch.float64)
    jacobian = torch.func.vmap(torch.func.jacrev(lambda x: flow(x[None])[0][0]))(points)
    return {"check/log_det_error": (torch.linalg.slogdet(jacobian)[1] - flow(points)[1]).abs()}
