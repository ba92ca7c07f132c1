"""What a trained encoder looks like: an episode, the space of embeddings, and confusion of groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from datasets.types import ClassSplit, EpisodeSampler
from methods.protonet.attributes import Described
from methods.protonet.figures import draw_confusion, draw_episode, draw_space
from methods.protonet.prototypes import prototypes
from runner.api import Picture, Projection

if TYPE_CHECKING:
    from methods.protonet.stage import FewShotStage

SHOWN = 12
"""Classes in the picture of the space."""

NAMES = {
    "sqeuclidean": "squared distance",
    "euclidean": "distance",
    "cosine": "cosine distance",
    "mahalanobis": "Mahalanobis distance",
}
"""What distances are called in a picture."""

PROJECTED = 100
"""Classes in TensorBoard's projector."""


def pictures(stage: FewShotStage, known: Tensor) -> dict[str, Picture | Projection]:
    """Pictures of the test part, from the embeddings `known` of all its images; only those of images where
    there are some, and of groups where there are several."""
    (_, sampler), *_ = stage.sizes.samplers("test")
    found: dict[str, Picture | Projection] = {
        "space": space(stage, known),
        "embeddings": projection(stage, known),
    }
    if stage.data.levels is not None and not stage.config.zero_shot:
        smallest = min((one for _, one in stage.sizes.samplers("test")), key=lambda one: one.way)
        found["episode"] = episode(stage, smallest, known)
    if len(set(stage.data.test.groups)) > 1:
        found["confusion"] = confusion(stage, sampler, known)
    return found


def episode(stage: FewShotStage, sampler: EpisodeSampler, known: Tensor) -> Picture:
    """The first test episode with its distances from the means of each class."""
    data, places = stage.data, sampler.places(torch.tensor([0]))
    way, first = sampler.way, places.query[0].view(sampler.way, -1)[:, 0]
    images = data.test.images
    c = prototypes(known[places.support.to(known.device)], places.support_labels.to(known.device), way)
    distances = stage.distance(known[first.to(known.device)], c[0]).cpu()
    support, query = (images[place].float() / (data.levels - 1) for place in (places.support[0], first))
    called = NAMES[stage.config.distance]
    return draw_episode(support.unflatten(0, (way, -1)), query, distances, torch.arange(way), called)


def space(stage: FewShotStage, known: Tensor) -> Picture:
    """Embeddings of some classes, and their prototypes: means, or what their attributes give."""
    part: ClassSplit = stage.data.test
    chosen, places, labels = _some(part, SHOWN)
    z = known[places.to(known.device)].cpu()
    if isinstance(stage.head, Described):
        assert part.attributes is not None
        described = part.attributes[torch.from_numpy(chosen)].to(known.device)
        centres = stage.head.prototypes(described).cpu()
    else:
        centres = torch.stack([z[labels == k].mean(0) for k in range(len(chosen))])
    return draw_space(z, labels, centres, [part.names[k] for k in chosen])


def _some(part: ClassSplit, most: int) -> tuple[np.ndarray, Tensor, Tensor]:
    """Numbers of some classes, places of all their images, and which of the classes each is of."""
    chosen = np.random.default_rng(0).choice(len(part), min(most, len(part)), replace=False)
    rows = [np.arange(part.first[k], part.first[k] + part.counts[k]) for k in chosen]
    labels = np.repeat(np.arange(len(chosen)), [len(row) for row in rows])
    return chosen, torch.from_numpy(np.concatenate(rows)), torch.from_numpy(labels)


def projection(stage: FewShotStage, known: Tensor) -> Projection:
    """Embeddings of the images of some classes, for TensorBoard."""
    part: ClassSplit = stage.data.test
    chosen, places, labels = _some(part, PROJECTED)
    names = [part.names[chosen[k]] for k in labels.tolist()]
    drawn = None if stage.data.levels is None else _ink(part.images[places], stage.data.levels)
    return Projection(known[places.to(known.device)].cpu(), names, drawn)


def _ink(images: Tensor, levels: int) -> Tensor:
    """uint8 with the whole range of grey, drawings dark on white."""
    grey = (images.float() * (255 / (levels - 1))).round().byte()
    return 255 - grey if grey.shape[1] == 1 else grey


def confusion(stage: FewShotStage, sampler: EpisodeSampler, known: Tensor) -> Picture:
    """Which groups' classes the wrong answers of all test episodes were."""
    part: ClassSplit = stage.data.test
    groups = sorted(set(part.groups))
    of_class = torch.tensor([groups.index(group) for group in part.groups])
    counts = torch.zeros(len(groups), len(groups))
    for one, scores in stage.scored(sampler, known):
        own = of_class[one.classes[0]]
        answers = scores[0].argmax(-1).cpu()
        wrong = answers != one.query_labels[0]
        asked = own[one.query_labels[0][wrong]], own[answers[wrong]]
        counts.index_put_(asked, torch.ones(int(wrong.sum())), accumulate=True)
    return draw_confusion(counts.numpy(), groups)
