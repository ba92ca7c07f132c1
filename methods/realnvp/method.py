"""Real NVP as a method: one stage that fits the density, measures bits per dimension and draws samples."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy
import torch
from PIL import Image
from torch import Tensor

from datasets.types import DataError, ImageBatch, Images, ImageSplit, Shuffle
from methods.common.pictures import grid
from methods.common.schedules import learning_rate
from methods.realnvp.baselines import PixelHistogram, uniform_bits_per_dim
from methods.realnvp.completion import Completer, completed
from methods.realnvp.condition import Condition
from methods.realnvp.config import RealNVPConfig
from methods.realnvp.density import LogLikelihood, bits_per_dim, importance_bound, log_likelihood
from methods.realnvp.latent import between, compressed, manifold
from methods.realnvp.likelihood import Likelihood
from methods.realnvp.logit import Logit
from methods.realnvp.multiscale import RealNVP, first_nonfinite
from methods.realnvp.penalty import scale_penalty
from methods.realnvp.recalibrate import recalibrate, recalibrated
from runner.api import Inputs, Method, Metrics, Picture, Stage, TrainStage, Update, Work

HISTOGRAM_IMAGES = 50_000
TRAIN_IMAGES = 4096
"""Training images for the mean and the nearest neighbours of a completion."""

SIDE = 64


class RealNVPMethod(Method):
    """Density estimation using Real NVP."""

    config: RealNVPConfig

    def stages(self) -> list[Stage]:
        return [DensityStage(self.config)]


class DensityStage(TrainStage):
    """Maximises the likelihood of dequantised images (section 3; objective with all constants, in nats per
    image)."""

    name = "density"
    monitor = "validation/bits_per_dim"

    def __init__(self, config: RealNVPConfig) -> None:
        self.config = config

    def build(self, inputs: Inputs) -> None:
        data: Images = inputs.data
        config, self.inputs, self.data = self.config, inputs, data
        self.condition = Condition(config.condition, data)
        self.shape = self.condition.shape
        self.dimensions = self.shape[0] * self.shape[1] * self.shape[2]
        self.logit = Logit(data.levels, config.logit)
        self.flow = RealNVP(self.shape, config, self.condition.channels).to(inputs.device)
        self.optimizer = torch.optim.Adam(
            self.flow.parameters(),
            lr=config.lr,
            betas=(config.betas[0], config.betas[1]),
            eps=config.eps,
            fused=True,
        )
        self.tracked = {"flow": self.flow, "optimizer": self.optimizer}
        self.order = Shuffle(len(data.train), inputs.batch_size, inputs.seed)
        self.histogram: PixelHistogram | None = None

    def sample(self, step: int) -> Tensor:
        return self.order(step)

    def batch(self, index: Tensor) -> ImageBatch:
        return self.data.train.batch(index)

    def rates(self, step: int) -> dict[str, float]:
        c = self.config
        return {"optimizer": learning_rate(step, c.lr, c.schedule, c.warmup, self.inputs.steps)}

    def step(self, batch: ImageBatch, update: Update, step: int) -> Metrics:
        self.flow.train()
        return update.minimise(self.optimizer, self.loss, batch)

    def loss(self, batch: ImageBatch) -> tuple[Tensor, Metrics]:
        """Mean negative log-likelihood in nats per image plus the penalty on scales, and the parts to log."""
        images, context = self.condition(batch)
        noise = torch.rand(images.shape, device=images.device)
        parts = log_likelihood(self.flow, self.logit, images, noise, context)
        loss = -parts.total.mean()
        if self.config.l2:
            loss = loss + self.config.l2 * scale_penalty(self.flow)
        return loss, self._parts(parts)

    def _parts(self, parts: LogLikelihood) -> dict[str, Tensor]:
        return {
            "bits_per_dim": bits_per_dim(parts.total.detach(), self.dimensions).mean(),
            "nats": -parts.total.detach().mean(),
            "prior": parts.prior.detach().mean(),
            "log_det": parts.log_det.detach().mean(),
        }

    @torch.no_grad()
    def evaluate(self, split: str, tick: Callable[[], None]) -> Metrics:
        part: ImageSplit = getattr(self.data, split)
        noise = torch.Generator(self.inputs.device).manual_seed(self.config.eval_seed)
        histogram, sums = self._histogram(tick), dict[str, float]()
        with self._evaluating(noise):
            for batch, count in self.inputs.share(part, self.inputs.batch_size):
                tick()
                draws = self._draws(count, noise)
                if batch is None:  # another process sees to it; its noise is drawn all the same
                    deque(draws, maxlen=0)
                    continue
                for name, value in self._measure(*self.condition(batch), draws, histogram).items():
                    sums[name] = sums.get(name, 0.0) + value.double().sum().item()
            totals = self.inputs.total(sums)
            means = {f"{split}/{name}": total / len(part) for name, total in totals.items()}
            means[f"{split}/bits_per_dim_uniform"] = uniform_bits_per_dim(self.data.levels)
            if self.config.net_norm == "batch" or self.config.flow_bn != "none":
                means |= self._train_mode(part, split, noise)
        return means

    def _draws(self, count: int, noise: torch.Generator) -> Iterator[Tensor]:
        """Dequantisation noise for `count` images: one draw, then those of the importance bound if any."""
        samples, shape = self.config.eval_dequant_samples, (count, *self.shape)
        for _ in range(1 + (samples if samples > 1 else 0)):  # with one, the bound is the estimate itself
            yield torch.rand(shape, generator=noise, device=self.inputs.device)

    def _measure(
        self, images: Tensor, context: Tensor | None, draws: Iterator[Tensor], histogram: PixelHistogram
    ) -> dict[str, Tensor]:
        """Per-image figures `[B]` under the names that they are reported by."""
        parts = log_likelihood(self.flow, self.logit, images, next(draws), context)
        found = {
            "bits_per_dim": bits_per_dim(parts.total, self.dimensions),
            "nats": -parts.total,
            "prior": parts.prior,
            "log_det": parts.log_det,
            "bits_per_dim_histogram": histogram.bits_per_dim(images),
        }
        bound = parts.total
        if self.config.eval_dequant_samples > 1:
            bound = importance_bound(self.flow, self.logit, images, draws, context)
        return {**found, "bits_per_dim_bound": bits_per_dim(bound, self.dimensions)}

    def _train_mode(self, part: ImageSplit, split: str, noise: torch.Generator) -> dict[str, float]:
        """Bits per dimension of the first batch with its own statistics and with the running ones.

        A gap between them shows normalisation statistics that do not fit the weights.
        """
        images, context = self.condition(next(self.inputs.batches(part, self.inputs.batch_size)))
        u, found = self._uniform(images, noise), {}
        for mode in (False, True):
            self.flow.train(mode)
            total = log_likelihood(self.flow, self.logit, images, u, context).total
            name = "train_mode" if mode else "eval_mode"
            found[f"{split}/first_batch_{name}"] = bits_per_dim(total, self.dimensions).mean().item()
        return found

    def as_model(self, kind: str) -> Likelihood:
        """The density, with the statistics that an evaluation has."""
        if self.config.condition != "none":
            raise ValueError(f"method.condition={self.config.condition} learns no density of images alone")
        recalibrate(self.flow, self._refreshing(torch.Generator(self.inputs.device).manual_seed(0)))
        return Likelihood(self.flow, self.logit, self.data)

    def _evaluating(self, noise: torch.Generator) -> Any:
        """The flow in evaluation mode with refreshed statistics; restores everything afterwards."""
        return recalibrated(self.flow, self._refreshing(noise))

    def _refreshing(self, noise: torch.Generator) -> Iterator[tuple[Tensor, Tensor | None]]:
        """What the flow's statistics are taken of."""
        count, size = self.config.bn_recalibrate_batches, self.inputs.batch_size
        batches = islice(self.inputs.batches(self.data.train, size), count) if count else iter(())
        return self._logits(batches, noise)

    def _logits(
        self, batches: Iterator[ImageBatch], noise: torch.Generator
    ) -> Iterator[tuple[Tensor, Tensor | None]]:
        for images, context in map(self.condition, batches):
            yield self.logit(images, self._uniform(images, noise))[0], context

    def _uniform(self, images: Tensor, generator: torch.Generator) -> Tensor:
        return torch.rand(images.shape, generator=generator, device=images.device)

    def _histogram(self, tick: Callable[[], None]) -> PixelHistogram:
        """The independent-pixel model of the training part (of its first images, if they are very many)."""
        if self.histogram is None:
            histogram, seen = PixelHistogram(self.shape, self.data.levels), 0
            for batch in self.inputs.batches(self.data.train.plain, max(self.inputs.batch_size, 256)):
                tick()
                histogram.add(self.condition(batch)[0].cpu())
                seen += len(batch.images)
                if seen >= HISTOGRAM_IMAGES:
                    break
            self.histogram = histogram
        return self.histogram

    @torch.no_grad()
    def figures(self) -> dict[str, Picture]:
        generator = torch.Generator(self.inputs.device).manual_seed(self.config.eval_seed)
        with self._evaluating(generator):
            return {
                "samples": self._samples(generator),
                "temperatures": self._temperatures(generator),
                "reconstructions": self._reconstructions(generator),
            }

    def _normal(self, count: int, generator: torch.Generator) -> Tensor:
        return torch.randn(count, *self.shape, generator=generator, device=self.inputs.device)

    def _picture(self, y: Tensor, columns: int, context: Tensor | None = None) -> Tensor:
        shown = self.condition.shown(self.logit.inverse(y), context)
        return grid(shown, columns, self.data.levels, SIDE)

    def _context(self, count: int) -> Tensor | None:
        """What `count` samples are given: the classes in turn, or halves of validation images."""
        if self.config.condition == "none":
            return None
        if self.config.condition == "class":
            labels = torch.arange(count, device=self.inputs.device) % len(self.data.classes)
            return self.condition.of_class(labels)
        part = self.data.validation
        context = self.condition(next(self.inputs.batches(part, min(count, len(part)))))[1]
        assert context is not None
        return context[torch.arange(count, device=context.device) % len(context)]

    def _drawn(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        context = self._context(count)
        return self.flow.sample(self._normal(count, generator), context=context), context

    def _samples(self, generator: torch.Generator) -> Tensor:
        y, context = self._drawn(self.config.samples, generator)
        return self._picture(y, max(1, round(self.config.samples**0.5)), context)

    def _temperatures(self, generator: torch.Generator) -> Tensor:
        """One row for each temperature, coolest first; a column shares its noise."""
        noise, context, temperatures = self._normal(8, generator), self._context(8), self.config.temperatures
        rows = [self.flow.sample(noise, temperature, context) for temperature in temperatures]
        given = None if context is None else context.repeat(len(rows), 1, 1, 1)
        return self._picture(torch.cat(rows), 8, given)

    def _reconstructions(self, generator: torch.Generator) -> Tensor:
        """Rows: images; g(f(x)); then only the latents of ever coarser scales kept, the others at zero
        (section 4)."""
        batch = next(self.inputs.batches(self.data.validation, min(8, len(self.data.validation))))
        images, context = self.condition(batch)
        y = self.logit(images, self._uniform(images, generator))[0]
        z, scale = self.flow(y, context)[0], self.flow.latent_scale().to(y.device)
        rows = [y] + [self.flow.inverse(z * (scale >= s), context)[0] for s in range(self.config.n_scale)]
        given = None if context is None else context.repeat(len(rows), 1, 1, 1)
        return self._picture(torch.cat(rows), len(y), given)

    def perform(self, task: str, work: Work, inputs: Inputs) -> Metrics:
        """`task=sample`, `complete`, `interpolate` and `compress`; each draws pictures into `figures/`.

        `sample` also writes `figures/samples.npy` (uint8 `[N, C, H, W]`), and returns the share of pixels
        that lay outside of the grey levels and were clipped.
        """
        generator = torch.Generator(self.inputs.device).manual_seed(inputs.seed)
        if task != "sample" and self.config.condition != "none":
            raise DataError(
                f"task={task} looks at whole images; this flow has method.condition={self.config.condition}"
            )
        perform = {"sample": self._sample, "complete": self._complete}.get(task, self._look)
        (work.dir / "figures").mkdir(exist_ok=True)
        with torch.no_grad(), self._evaluating(generator):
            return perform(task, work.dir / "figures", generator)

    def _sample(self, task: str, place: Path, generator: torch.Generator) -> Metrics:
        began = time.perf_counter()
        y, context = self._drawn(self.config.samples, generator)
        seconds = (time.perf_counter() - began) / len(y)
        numpy.save(place / "samples.npy", self.logit.inverse(y).cpu().numpy(), allow_pickle=False)
        self._save(place / "samples.png", y, max(1, round(self.config.samples**0.5)), context)
        return {"sample/clipped": self.logit.clipped(y).mean().item(), "sample/seconds_per_image": seconds}

    def _complete(self, task: str, place: Path, generator: torch.Generator) -> Metrics:
        """Rows of the picture: truth, completion, hidden half filled with the mean image."""
        frozen = [p for p in self.flow.parameters() if p.requires_grad]
        train = next(self.inputs.batches(self.data.train.plain, TRAIN_IMAGES)).images
        for parameter in frozen:
            parameter.requires_grad_(False)
        try:
            with torch.enable_grad():
                completer = Completer(self.flow, self.logit, self.config.complete)
                images = self._test_images(self.config.complete.images)
                found, pictures = completed(completer, images, train, generator)
        finally:
            for parameter in frozen:
                parameter.requires_grad_(True)
        self._save(place / "completions.png", pictures[:, :16].flatten(0, 1), min(16, len(images)))
        return found

    def _look(self, task: str, place: Path, generator: torch.Generator) -> Metrics:
        images = self._test_images(self.config.look_images)
        noise = self._uniform(images, generator)
        if task == "compress":
            found, pictures = compressed(self.flow, self.logit, images, noise, generator)
            rows = [self.logit(images, noise)[0], *pictures]
            self._save(place / "compressed.png", torch.cat([row[:16] for row in rows]), min(16, len(images)))
            return found
        corners = self.logit(images[:4], noise[:4])[0]
        if len(corners) == 4:
            self._save(place / "manifold.png", manifold(self.flow, corners), 8)
        even = len(images) // 2 * 2
        return between(self.flow, self.logit, images[:even], noise[:even])

    def _test_images(self, count: int) -> Tensor:
        images: Tensor = next(self.inputs.batches(self.data.test, min(count, len(self.data.test)))).images
        return images

    def _save(self, path: Path, y: Tensor, columns: int, context: Tensor | None = None) -> None:
        Image.fromarray(self._picture(y, columns, context).numpy()).save(path)

    def diagnose(self, batch: ImageBatch) -> str | None:
        """Name of the first coupling whose output is not finite for `batch`."""
        images, context = self.condition(batch)
        noise = torch.rand(images.shape, device=images.device)
        return first_nonfinite(self.flow, self.logit(images, noise)[0], context)
