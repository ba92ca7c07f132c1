"""The papers' ImageNet networks as experiments: settings, and parameters counted on the meta device."""

from __future__ import annotations

import pytest
import torch

from methods.common.classify.build import network
from runner.compose import Composer

PUBLISHED = {
    # torchvision's own networks have these sizes; VGG-16 lacks the 13 offsets that its norms take over.
    "groupnorm/resnet50": (25_557_032, 0.1),
    "groupnorm/resnet101": (44_549_160, 0.1),
    "groupnorm/vgg16": (138_365_992 - 4_224, 0.01),
    # The layers of the paper's figure 5; its text says 13.6 million.
    "batchnorm/inception": (11_285_224 - 10_016, 0.0015),  # an offset for each channel, no gain
    "batchnorm/inception_bn": (11_285_224, 0.0015),
    "batchnorm/inception_bn_x5": (11_285_224, 0.0075),
    "batchnorm/inception_bn_x30": (11_285_224, 0.045),
    "batchnorm/inception_bn_x5_sigmoid": (11_285_224, 0.0075),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_an_imagenet_experiment_is_the_papers(name: str) -> None:
    composed = Composer([f"experiment={name}"]).compose()
    config, data = composed.method_config, composed.dataset_config
    with torch.device("meta"):
        net = network(config, (3, data.size, data.size), 1000)
    parameters, lr = PUBLISHED[name]
    assert sum(p.numel() for p in net.parameters()) == parameters
    assert config.lr * data.batch_size / (config.lr_batch or data.batch_size) == pytest.approx(lr)
    assert net(torch.zeros(2, 3, 224, 224, device="meta")).shape == (2, 1000)
    assert data.flip
    assert data.area == 0.08
