"""What holds exactly of group normalisation; nothing is trained."""

from __future__ import annotations

import torch

from methods.common.classify.build import network
from methods.groupnorm.config import GroupNormConfig
from runner.api import Inputs, Metrics


@torch.no_grad()
def one_function(config: GroupNormConfig, inputs: Inputs) -> Metrics:
    """Whether training and evaluation are one function, and an image's output does not depend on its batch
    (section 3.2); in double precision."""
    net = network(config, inputs.data.shape, len(inputs.data.classes)).double()
    images = torch.randn(8, *inputs.data.shape, dtype=torch.float64)
    together = net.train()(images)
    alone = torch.cat([net(image[None]) for image in images])
    return {
        "check/mode_difference": (net.eval()(images) - together).abs().max(),
        "check/batch_difference": (alone - together).abs().max(),
    }
