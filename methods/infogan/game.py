"""The game of generator, discriminator and Q, and what an evaluation looks at."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import softplus

from datasets.types import ImageBatch, Images, Shuffle
from methods.infogan.codes import CodeSpec
from methods.infogan.config import GanConfig, InfoGANConfig
from methods.infogan.networks import Discriminator, Generator, Guess, divisor
from methods.infogan.record import Curve
from runner.api import Inputs, Metrics, TrainStage, Update


class Game(TrainStage):
    """min over G and Q, max over D of V(D, G) - lambda L_I(G, Q) (equation 6), non-saturating.

    With `routing=openai`, as in the authors' code, the reward is in both losses: the discriminator's
    optimiser, which owns the trunk, its head and Q's, learns to tell codes at its rate, and the generator to
    make them told. With `routing=port`, as in many re-implementations, Q is the generator's, and the trunk
    never learns from codes. Without a reward, Q learns from features that are cut off, so that the game is
    the GAN's, bit for bit.
    """

    name = "game"
    averaged = ("generator",)

    def __init__(self, config: GanConfig) -> None:
        self.config = config
        self.codes = CodeSpec(config.categorical, config.uniform, config.gaussian, config.q_sd)

    def build(self, inputs: Inputs) -> None:
        self.inputs, self.data, c = inputs, inputs.data, self.config
        data: Images = self.data
        step = divisor(c.network)
        if off := [side for side in data.shape[1:] if side % step]:
            fits = max(off[0] // step, 1) * step
            raise ValueError(
                f"method.network={c.network} takes sides that divide by {step}, and {data.name} has {off[0]} "
                f"pixels; dataset.size={fits} fits"
            )
        self.generator = Generator(c.noise + self.codes.width, data.shape, c).to(inputs.device)
        self.discriminator = Discriminator(data.shape, c).to(inputs.device)
        features = self.discriminator.features
        self.guess = Guess(features, self.codes.guess_width, c).to(inputs.device)
        self.trunk = self.discriminator.trunk
        if c.q_network == "separate":
            self.trunk = Discriminator(data.shape, c).trunk.to(inputs.device)
        self.curve = Curve(c.curve_every)
        g, d = list(self.generator.parameters()), list(self.discriminator.parameters())
        q = list(self.guess.parameters())
        q += [] if c.q_network == "shared" else list(self.trunk.parameters())
        betas = (c.betas[0], c.betas[1])
        adam: dict[str, Any] = {"betas": betas, "eps": c.adam_eps, "fused": True}
        self.g_optimizer = torch.optim.Adam(g + (q if self._port else []), c.lr, **adam)
        self.d_optimizer = torch.optim.Adam(d + ([] if self._port else q), c.d_lr, **adam)
        self.tracked = {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "guess": self.guess,
            "g_optimizer": self.g_optimizer,
            "d_optimizer": self.d_optimizer,
            "curve": self.curve,
        }
        if c.q_network == "separate":
            self.tracked["q_trunk"] = self.trunk
        self.order = Shuffle(len(data.train), inputs.batch_size, inputs.seed)

    @property
    def looked_at(self) -> int:
        """Samples, and training images, that an evaluation looks at: no more than there are of the latter."""
        return min(self.config.looked_at, len(self.data.train))

    @property
    def _port(self) -> bool:
        return isinstance(self.config, InfoGANConfig) and self.config.routing == "port"

    def sample(self, step: int) -> Tensor:
        return self.order(step)

    def batch(self, index: Tensor) -> ImageBatch:
        found: ImageBatch = self.data.train.batch(index)
        return found

    def rates(self, step: int) -> dict[str, float]:
        return {"g_optimizer": self.config.lr, "d_optimizer": self.config.d_lr}

    # ------------------------------------------------------------------------------------------- the game

    def step(self, batch: ImageBatch, update: Update, step: int) -> Metrics:
        for module in (self.generator, self.discriminator, self.guess, self.trunk):
            module.train()
        self._made = list[tuple[Tensor, Tensor]]()
        found = update.minimise(self.d_optimizer, self.d_loss, batch)
        metrics = {"d_loss": found.pop("loss"), **found}
        found = update.minimise(self.g_optimizer, self.g_loss, batch)
        metrics |= {"g_loss": found.pop("loss"), **found}
        self.curve.add(step + 1, metrics)
        return metrics

    def make(self, count: int) -> tuple[Tensor, Tensor]:
        """Fakes `[count, C, H, W]`, and the codes `[count, width]` that they were made from."""
        codes = self.codes.draw(count, self.inputs.device)
        return self.generator(torch.cat((self.noise(count), codes), 1)), codes

    def noise(self, count: int, device: torch.device | str | None = None) -> Tensor:
        """Noise `[count, noise]`, uniform on [-1, 1] or standard normal, from the generator of `device`."""
        draw = torch.rand if self.config.noise_kind == "uniform" else torch.randn
        drawn = draw(count, self.config.noise, device=device or self.inputs.device)
        return drawn * 2 - 1 if self.config.noise_kind == "uniform" else drawn

    def d_loss(self, batch: ImageBatch) -> tuple[Tensor, Metrics]:
        """-E[log D(x)] - E[log(1 - D(G(z, c)))], less the reward where the discriminator has a share in it.

        Real and fake images are normalised apart, as in the authors' code.
        """
        c, images = self.config, self.levels(batch.images)
        with torch.set_grad_enabled(not c.fresh):
            fakes, codes = self.make(len(images))
        if not c.fresh:
            self._made.append((fakes, codes))
        real, fake, features = self.discriminator.both(images, fakes.detach())
        real, fake = real.float(), fake.float()
        loss = (1 - c.smoothing) * softplus(-real).mean() + softplus(fake).mean()
        if c.smoothing:
            loss = loss + c.smoothing * softplus(real).mean()
        metrics = {"d_accuracy": ((real > 0).float().mean() + (fake < 0).float().mean()) / 2}
        if self._port:
            return loss, metrics
        told = self.codes.information(self.guessed(fakes.detach(), features), codes)
        return loss - self.worth(told, learn=True), metrics

    def g_loss(self, batch: ImageBatch) -> tuple[Tensor, Metrics]:
        """-E[log D(G(z, c))], less the reward."""
        fakes, codes = self._made.pop(0) if self._made else self.make(len(batch.images))
        logits, features = self.discriminator(fakes)
        told = self.codes.information(self.guessed(fakes, features), codes)
        names = (f"mi_{code.name}" for code in self.codes.codes)
        metrics = dict(zip(names, told.detach().unbind(), strict=True))
        return softplus(-logits.float()).mean() - self.worth(told, learn=self._port), metrics

    def guessed(self, images: Tensor, features: Tensor) -> Tensor:
        """Q's guesses `[B, guess_width]`; `features` are the discriminator's for the same images."""
        if self.config.q_network == "separate":
            features = self.trunk(images)
        elif not self.rewarded:
            features = features.detach()
        found: Tensor = self.guess(features)
        return found

    @property
    def rewarded(self) -> bool:
        """Whether information counts in the game."""
        return any(self.config.reward)

    def worth(self, told: Tensor, learn: bool) -> Tensor:
        """lambda L_I. Without a reward, what Q learns by (weight 1), or nothing where Q does not learn."""
        if not self.rewarded:
            return told.sum() if learn else told.new_zeros(())
        split = len(self.codes.categorical)
        return self.config.reward[0] * told[:split].sum() + self.config.reward[1] * told[split:].sum()

    # ------------------------------------------------------------------------------------------- pixels

    def levels(self, images: Tensor) -> Tensor:
        """Grey levels uint8 to numbers in the generator's range."""
        unit = images.float() / (self.data.levels - 1)
        return unit if self.config.pixels == "unit" else unit * 2 - 1

    def unit(self, fakes: Tensor) -> Tensor:
        """The generator's numbers to [0, 1]."""
        return fakes if self.config.pixels == "unit" else (fakes + 1) / 2
