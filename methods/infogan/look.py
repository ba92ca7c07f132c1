"""What an evaluation looks at: information on codes not trained on, clusters, factors, and samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from datasets.types import ImageBatch
from methods.common.classify.intervals import wilson
from methods.common.norm.recalibrate import batch_moments
from methods.infogan import clusters
from methods.infogan.game import Game
from methods.infogan.moments import looks
from methods.infogan.ranks import ranks
from methods.infogan.seeded import seeded
from runner.api import Metrics

AT_ONCE = 500
"""Images that go through the networks together."""

OUTSIDE = 2.0
"""How far beyond the trained range [-1, 1] continuous codes are tried (figure 2)."""


def information(game: Game, split: str, tick: Callable[[], None]) -> Metrics:
    """The bound on each code's information in nats, on codes and noise that were not trained on."""
    told = []
    for fakes, codes in made(game):
        tick()
        told.append(game.codes.log_q(guesses(game, fakes), codes).double().cpu())
    means = torch.cat(told).mean(0) + game.codes.entropies.double()
    found = {f"{split}/mi_{code.name}": mean for code, mean in zip(game.codes.codes, means, strict=True)}
    many = len(game.codes.categorical)
    if many:
        found[f"{split}/mi_disc"] = means[:many].sum()
    if many < len(means):
        found[f"{split}/mi_cont"] = means[many:].sum()
    return found


def groups(game: Game, split: str, tick: Callable[[], None]) -> Metrics:
    """What each categorical code has to do with the data's classes: assigned on training images, counted on
    those of `split`."""
    classes = {part: labels(game, part) for part in ("train", split)}
    found: Metrics = {}
    for moments in ("", "_batch"):
        seen = {part: read(game, part, tick, bool(moments)) for part in classes}
        for code in game.codes.categorical:
            last = "" if code is game.codes.categorical[0] else f"_{code.name}"
            shape = (code.values, len(game.data.classes))
            fitted, counts = (
                clusters.table(game.codes.best(seen[part], code), classes[part], shape) for part in seen
            )
            scores = _scores(fitted, counts)
            kept = scores if not moments else {"accuracy_1to1": scores["accuracy_1to1"]}
            found |= {f"{split}/{name}{moments}{last}": value for name, value in kept.items()}
    return found


def _scores(fitted: Tensor, counts: Tensor) -> Metrics:
    total = int(counts.sum())
    right = clusters.right(counts, clusters.one_to_one(fitted))
    low, high = wilson(right, total)
    return {
        "accuracy_1to1": right / total,
        "accuracy_1to1_low": low,
        "accuracy_1to1_high": high,
        "accuracy_majority": clusters.right(counts, clusters.majority(fitted)) / total,
        "nmi": clusters.normalised_information(counts),
        "purity": float(counts.amax(1).sum()) / total,
        "empty_clusters": int((counts.sum(1) == 0).sum()),
    }


def appearance(game: Game, split: str, tick: Callable[[], None]) -> Metrics:
    """Rank correlation of each continuous code with what samples look like."""
    continuous = game.codes.continuous
    if not continuous:
        return {}
    columns, seen = [], []
    for fakes, codes in made(game):
        tick()
        columns.append(codes[:, [code.at for code in continuous]].cpu())
        seen.append({name: value.cpu() for name, value in looks(game.unit(fakes)).items()})
    drawn = torch.cat(columns)
    measured = {name: torch.cat([one[name] for one in seen]) for name in seen[0]}
    return ranks(split, measured, {code.name: drawn[:, i] for i, code in enumerate(continuous)})


def samples(game: Game, judge: nn.Module | None, split: str, tick: Callable[[], None]) -> Metrics:
    """Whether samples are sound: a classifier's confidence inside and outside the trained range of codes, how
    many classes they are (the exponential of the classes' entropy), and their pixels beside the data's."""
    found = _pixels(game, split, tick)
    if judge is None:
        return found
    sure: dict[str, Tensor] = {}
    for name, reach in (("confidence", 1.0), ("confidence_outside", OUTSIDE)):
        said = []
        for fakes, _ in made(game, reach):
            tick()
            said.append(judge(game.unit(fakes)).softmax(1).cpu())
        sure[name] = torch.cat(said)
        found[f"{split}/{name}"] = sure[name].amax(1).mean()
    found[f"{split}/confidence_ratio"] = found[f"{split}/confidence_outside"] / found[f"{split}/confidence"]
    shares = torch.bincount(sure["confidence"].argmax(1), minlength=len(game.data.classes)).double()
    shares /= shares.sum()
    found[f"{split}/modes"] = math.exp(float(-torch.xlogy(shares, shares).sum()))
    return found


def _pixels(game: Game, split: str, tick: Callable[[], None]) -> Metrics:
    sums = torch.zeros(2, 2, dtype=torch.float64)
    counts = [0, 0]
    real = (batch.images.float() / (game.data.levels - 1) for batch in images(game, split))
    for row, pixels in enumerate((real, (game.unit(fakes) for fakes, _ in made(game)))):
        for one in pixels:
            tick()
            sums[row] += torch.stack((one.double().sum(), one.double().square().sum())).cpu()
            counts[row] += one.numel()
    means, squares = (sums / torch.tensor(counts)[:, None]).unbind(1)
    deviations = (squares - means.square()).clamp(min=0).sqrt()
    names = ("pixel_mean", "pixel_deviation")
    pairs = zip(names, (means, deviations), strict=True)
    return {f"{split}/{name}{of}": v[i] for name, v in pairs for i, of in ((1, ""), (0, "_data"))}


def made(game: Game, reach: float = 1.0) -> Iterator[tuple[Tensor, Tensor]]:
    """Samples in batches, with their codes; always of the same noise and codes. With `reach` above 1,
    continuous codes lie beyond the trained range, and as far as that."""
    with seeded():
        count = game.looked_at
        codes, noise = game.codes.draw(count), game.noise(count, "cpu")
        if reach > 1.0:
            for code in game.codes.continuous:
                away = 1 + torch.rand(count) * (reach - 1)
                codes[:, code.at] = away * codes[:, code.at].sign()
    for part, around in zip(codes.split(AT_ONCE), noise.split(AT_ONCE), strict=True):
        inputs = torch.cat((around, part), 1).to(game.inputs.device)
        yield game.generator(inputs), part.to(game.inputs.device)


def guesses(game: Game, images: Tensor) -> Tensor:
    """Q's guesses `[B, guess_width]` of images in the generator's range."""
    found: Tensor = game.guess(game.trunk(images))
    return found


def read(game: Game, split: str, tick: Callable[[], None], by_batch: bool = False) -> Tensor:
    """Q's guesses at a part's images, those that an evaluation looks at; with running moments, or with those
    of each batch."""
    if not by_batch:
        return _read(game, split, tick)
    with batch_moments(game.trunk), batch_moments(game.guess):
        return _read(game, split, tick)


def _read(game: Game, split: str, tick: Callable[[], None]) -> Tensor:
    found = []
    for batch in images(game, split):
        tick()
        found.append(guesses(game, game.levels(batch.images)).float().cpu())
    return torch.cat(found)


def images(game: Game, split: str) -> Iterator[ImageBatch]:
    """A part's batches in order: of the training part the first images, of the others all."""
    part = getattr(game.data, split).plain
    left = game.looked_at if split == "train" else len(part)
    for batch in game.inputs.batches(part, AT_ONCE):
        if left <= 0:
            return
        yield ImageBatch(batch.images[:left], batch.labels[:left])
        left -= len(batch.labels)


def labels(game: Game, split: str) -> Tensor:
    """Their classes, int64 `[N]`."""
    return torch.cat([batch.labels.cpu() for batch in images(game, split)])
