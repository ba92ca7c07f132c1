"""What can be said of prototypes without training: what is kept, what a task costs, where the mean is."""

from __future__ import annotations

import torch
from torch import Tensor

from methods.common.cost import gradients_taken, seconds
from methods.protonet.config import FewShotConfig, MatchingConfig
from methods.protonet.distance import Distance
from methods.protonet.encoder import encoder
from methods.protonet.matching import Attention
from methods.protonet.prototypes import Nearest, prototypes
from methods.protonet.stage import head
from runner.api import Inputs, Metrics

SETS, POINTS, DIMENSIONS = 20, 9, 6
"""Of points whose nearest point is sought, how many sets, of how many points in how many dimensions."""


@torch.no_grad()
def storage(config: FewShotConfig, inputs: Inputs) -> Metrics:
    """Bytes that are kept of a task's support embeddings, and seconds that a query takes once they are kept.

    A prototypical network keeps a mean for each class; matching keeps every image.
    """
    shot = _even(config, config.shot)
    width = encoder(config, inputs.data.shape).width
    support, query = torch.randn(1, config.way * shot, width), torch.randn(1, 1, width)
    labels = torch.arange(config.way).repeat_interleave(shot).expand(1, -1)
    if isinstance(config, MatchingConfig):
        kept = [support, labels]
        answer = head(config, width, None)
    else:  # one prototype a class is a support of one image each
        kept = [prototypes(support, labels, config.way)]
        answer, labels = head(config, width, None), torch.arange(config.way).expand(1, -1)
    took = seconds(lambda: [answer(kept[0], labels, query, config.way) for _ in range(100)]) / 100
    return {"check/kept_bytes": sum(one.nbytes for one in kept), "check/query_seconds": took}


def task_cost(config: FewShotConfig, inputs: Inputs) -> Metrics:
    """What a new task of the first test size costs: parameters beyond the encoder, gradients that are taken,
    and seconds until its queries are answered."""
    way, shot = config.test_ways[0], _even(config, config.test_shots[0])
    embed = encoder(config, inputs.data.shape).eval()
    answer = head(config, embed.width, None)
    images = torch.rand(way * (shot + config.test_query), *inputs.data.shape)
    labels = torch.arange(way).repeat_interleave(shot).expand(1, -1)

    @torch.no_grad()
    def task() -> Tensor:
        z = embed(images).unsqueeze(0)
        found: Tensor = answer(z[:, : way * shot], labels, z[:, way * shot :], way)
        return found

    return {
        "check/extra_parameters": sum(p.numel() for p in answer.parameters()),
        "check/gradients": gradients_taken(task),
        "check/task_seconds": seconds(task),
    }


def mean_is_nearest(config: FewShotConfig, inputs: Inputs) -> Metrics:
    """How much greater the summed distance of some points from their mean is than from the point that has the
    least, found by minimisation: relative, the mean over sets of normal points; 0 for Bregman divergences
    (section 2.3; Banerjee et al., 2005).

    Points lie around a mean of length 1, for cosine distances have no meaning around 0.
    """
    distance = Distance(config.distance, DIMENSIONS, config.scale).double()
    centre = torch.nn.functional.normalize(torch.randn(SETS, 1, DIMENSIONS, dtype=torch.float64), dim=-1)
    z = centre + 0.5 * torch.randn(SETS, POINTS, DIMENSIONS, dtype=torch.float64)

    def total(c: Tensor) -> Tensor:
        found: Tensor = distance(z, c).sum((1, 2))
        return found

    mean = z.mean(1, keepdim=True)
    least = mean.clone().requires_grad_()
    optimizer = torch.optim.LBFGS([least], max_iter=500, tolerance_grad=1e-12, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = total(least).sum()
        value.backward()
        return value

    optimizer.step(closure)
    with torch.no_grad():
        excess = total(mean) / total(least) - 1
    return {"check/mean_excess": excess.mean()}


@torch.no_grad()
def one_shot(config: FewShotConfig, inputs: Inputs) -> Metrics:
    """Largest difference between the log-probabilities of prototypes and of attention (Vinyals et al.,
    equation 1), float64, where each class has one image, and where it has five (section 2.5)."""
    distance = Distance(config.distance, DIMENSIONS, config.scale).double()
    found = {}
    for shot in (1, 5):
        support, query = (torch.randn(SETS, n, DIMENSIONS).double() for n in (POINTS * shot, POINTS))
        labels = torch.arange(POINTS).repeat_interleave(shot).expand(SETS, -1)
        one, other = (made(distance)(support, labels, query, POINTS) for made in (Nearest, Attention))
        found[f"check/apart_at_{shot}"] = (one - other).abs().max()
    return found


def _even(config: FewShotConfig, shot: int | tuple[int, ...]) -> int:
    """The shot of all classes; raises ValueError where classes have unlike ones or none."""
    if not isinstance(shot, int) or shot < 1 or config.shot == 0:
        raise ValueError(
            f"method.shot={config.shot}, method.test_shots={list(config.test_shots)}: a check takes one "
            f"number of images of each class, from 1 on"
        )
    return shot
