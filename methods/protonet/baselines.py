"""Other ways of deciding from embeddings: nearest images, other centres of classes, logistic regression."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn import functional

from datasets.types import EpisodeSampler
from methods.common.fewshot.score import interval, right
from methods.protonet.distance import sqeuclidean
from methods.protonet.episodes import Sizes
from methods.protonet.prototypes import prototypes

Compare = Callable[[Tensor, Tensor], Tensor]
"""Embeddings `[M, Q, D]` and `[M, K, D]` to distances `[M, Q, K]`."""

BY = ("image", "cosine", "mean", "medoid", "spherical", "logistic")


def scores_by(
    by: str, support: Tensor, labels: Tensor, query: Tensor, way: int, distance: Compare = sqeuclidean
) -> Tensor:
    """Scores `[M, Q, way]`, the greatest of which is the answer.

    Arguments:
        by: `image`, the nearest support image; `cosine`, the one at the smallest angle; `mean`, `medoid` and
            `spherical`, the nearest of these centres; `logistic`, a logistic regression on the support.
        support, labels, query: embeddings `[M, S, D]`, their classes `[M, S]`, and embeddings `[M, Q, D]`.
        distance: of embeddings, for `image` and the centres.
    """
    match by:
        case "image":
            return of_nearest(distance(query, support), labels, way)
        case "cosine":
            unit = [functional.normalize(z, dim=-1) for z in (query, support)]
            return of_nearest(-unit[0] @ unit[1].transpose(-1, -2), labels, way)
        case "mean":
            return -distance(query, prototypes(support, labels, way))
        case "medoid":
            return -distance(query, medoids(support, labels, way, distance))
        case "spherical":
            return -distance(query, spherical_means(support, labels, way))
        case _:
            return regressed(support, labels, query, way)


def of_nearest(distances: Tensor, labels: Tensor, way: int) -> Tensor:
    """Of distances `[M, Q, S]` from support images with `labels` `[M, S]`: less the least of each class."""
    least = distances.new_full((*distances.shape[:2], way), torch.inf)
    return -least.scatter_reduce(2, labels.unsqueeze(1).expand_as(distances), distances, "amin")


def medoids(support: Tensor, labels: Tensor, way: int, distance: Compare = sqeuclidean) -> Tensor:
    """The image of each class whose distances from its others have the least sum, `[M, way, D]`."""
    same = labels.unsqueeze(1) == labels.unsqueeze(2)
    total = (distance(support, support) * same).sum(-1)
    of_class = labels.unsqueeze(1) == torch.arange(way, device=labels.device).view(1, -1, 1)
    chosen = total.unsqueeze(1).masked_fill(~of_class, torch.inf).argmin(-1)
    return support.gather(1, chosen.unsqueeze(-1).expand(-1, -1, support.shape[-1]))


def spherical_means(support: Tensor, labels: Tensor, way: int) -> Tensor:
    """The mean direction of each class at the mean length of its images, `[M, way, D]`."""
    length = prototypes(support.norm(dim=-1, keepdim=True), labels, way)
    directions = prototypes(functional.normalize(support, dim=-1), labels, way)
    return functional.normalize(directions, dim=-1) * length


def regressed(support: Tensor, labels: Tensor, query: Tensor, way: int) -> Tensor:
    """Scores of a logistic regression on each support, of length 1 (Tian et al., ECCV 2020)."""
    found = []
    for s, y, q in zip(*(part.cpu() for part in (support, labels, query)), strict=True):
        unit = [functional.normalize(z, dim=-1).double().numpy() for z in (s, q)]
        fitted = LogisticRegression(max_iter=1000).fit(unit[0], y.numpy())
        scores = torch.from_numpy(fitted.decision_function(unit[1]))
        found.append(torch.stack((-scores, scores), -1) if way == 2 else scores)
    return torch.stack(found).to(query.device)


def accuracies(sampler: EpisodeSampler, known: Tensor, by: str, distance: Compare = sqeuclidean) -> Tensor:
    """Accuracy of each episode, float64 `[N]`, from the embeddings `known` of all images of its part."""
    found = []
    for number in range(len(sampler)):
        episode = sampler.places(torch.tensor([number]))
        support, query = (known[place.to(known.device)] for place in (episode.support, episode.query))
        labels = episode.support_labels.to(known.device)
        scores = scores_by(by, support, labels, query, sampler.way, distance)
        found.append(right(scores, episode.query_labels.to(known.device)).cpu())
    return torch.cat(found)


def compared_by(sizes: Sizes, known: Tensor, distance: Compare) -> dict[str, Any]:
    """For each way of deciding and each size, `test/accuracy_<by>_<size>`, one for each episode, with ends of
    its mean's interval, and `test/mean_over_<by>_<size>`, what is gained by the mean, for each episode."""
    found: dict[str, Any] = {}
    for size, sampler in sizes.samplers("test"):
        answers = {by: accuracies(sampler, known, by, distance) for by in BY}
        for by, values in answers.items():
            _, low, high = interval(values)
            name = f"test/accuracy_{by}_{size}"
            found |= {name: values, f"{name}_low": low, f"{name}_high": high}
            if by != "mean":
                found[f"test/mean_over_{by}_{size}"] = answers["mean"] - values
    return found
