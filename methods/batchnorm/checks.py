"""What holds exactly of batch normalisation; nothing is trained."""

from __future__ import annotations

from dataclasses import replace

import torch

from methods.batchnorm.config import BatchNormConfig
from methods.common.classify.build import network
from runner.api import Inputs, Metrics


def batch_of_one(config: BatchNormConfig, inputs: Inputs) -> Metrics:
    """Whether one image alone is refused in training, where two are not: 1 if so, 0 if not.

    Raises ValueError where two are refused, too."""
    net = network(config, inputs.data.shape, len(inputs.data.classes)).train()
    net(torch.zeros(2, *inputs.data.shape))
    try:
        net(torch.zeros(1, *inputs.data.shape))
    except ValueError:
        return {"check/refuses_one": 1.0}
    return {"check/refuses_one": 0.0}


@torch.no_grad()
def coupled(config: BatchNormConfig, inputs: Inputs) -> Metrics:
    """How far an image's output moves where the others of its batch are exchanged, in training and in
    evaluation (section 3.4); one image with two different sets of seven others.

    Dropout, which would move it, too, is left out."""
    net = network(replace(config, dropout=0.0), inputs.data.shape, len(inputs.data.classes))
    image, *others = torch.randn(15, *inputs.data.shape).split([1, 7, 7])
    found = {}
    for mode in ("train", "eval"):
        net.train(mode == "train")
        outputs = [net(torch.cat((image, other)))[0] for other in others]
        found[f"check/moved_{mode}"] = (outputs[0] - outputs[1]).abs().max()
    return found
