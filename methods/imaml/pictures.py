"""What adaptation does to tasks that were not trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from datasets.types import Episode, Episodes, RegressionSampler
from methods.imaml.figures import draw_fits, draw_steps
from runner.api import Picture

if TYPE_CHECKING:
    from methods.imaml.stage import MetaStage

PANELS, POINTS = 4, 200
"""Tasks in the picture of fits, and points of their curves."""

MANY = 20
"""Tasks whose loss is followed along their adaptation."""


def pictures(stage: MetaStage) -> dict[str, Picture]:
    """The loss, or accuracy, along the steps of adaptation; for functions of one number, fits too."""
    found = {"steps": steps(stage)}
    if not isinstance(stage.data, Episodes) and (stage.data.test.inputs, stage.data.test.outputs) == (1, 1):
        found["fits"] = fits(stage)
    return found


def grid(last: int) -> list[int]:
    """Numbers of steps from 0 to `last`, further apart as they grow."""
    found = [0]
    while found[-1] < last:
        found.append(min(last, found[-1] + max(1, found[-1] // 2)))
    return found


def steps(stage: MetaStage) -> Picture:
    """Over twice as many steps as are tested with."""
    sampler = stage.sampler_of("test", min(MANY, stage.config.episodes))
    batch = _on(stage, sampler.batch(torch.arange(len(sampler))))
    theta = stage.flat.vector().detach()
    at = grid(2 * stage.test_steps)
    what = "loss" if stage.classes is None else "accuracy"
    rows = []
    for count in at:
        parts = []
        for part in stage.chunks(batch):
            start = theta.expand(len(part.support), -1)
            phi = start if count == 0 else stage.adapt(stage.tasks(part), start, count)
            parts.append(stage.measured(part, phi)[what])
        rows.append(torch.cat(parts).double().cpu())
    said = "mean squared error" if stage.classes is None else "accuracy"
    return draw_steps(at, torch.stack(rows), stage.config.inner_steps, said, stage.method, what == "loss")


def fits(stage: MetaStage) -> Picture:
    """Predictions before adaptation, after one step, and after those that are tested with."""
    sampler = stage.sampler_of("test", PANELS)
    assert isinstance(sampler, RegressionSampler)
    shown = RegressionSampler(sampler.part, sampler.shot, POINTS, sampler.seed, PANELS)
    batch = _on(stage, shown.batch(torch.arange(PANELS)))
    order = batch.query[..., 0].argsort(1)
    x, y = (one[..., 0].gather(1, order) for one in (batch.query, batch.query_labels))
    start = stage.flat.vector().detach().expand(PANELS, -1)
    found = {}
    for count in sorted({0, 1, stage.test_steps}):
        phi = start if count == 0 else stage.adapt(stage.tasks(batch), start, count)
        with torch.no_grad():
            found[count] = stage.flat(phi, x.unsqueeze(-1))[..., 0].cpu()
    learned = (batch.support[..., 0].cpu(), batch.support_labels[..., 0].cpu())
    return draw_fits(learned, (x.cpu(), y.cpu()), found, stage.method)


def _on(stage: MetaStage, batch: Episode) -> Episode:
    return Episode(*(one.to(stage.inputs.device) for one in batch))
