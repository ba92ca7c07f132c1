"""InfoGAN's step as it is usually written: what `Game` must equal, and be faster than."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, softplus

from datasets.types import ImageBatch
from methods.infogan.game import Game


class Plain:
    """Steps on the networks of `game`, with `routing=openai`, one categorical code or several and uniform
    codes whose guesses have the deviation 1: both losses go back through everything that they touch.

    Arguments:
        fused: whether Adam's update is one kernel, as in `Game`; torch's default is not.
    """

    def __init__(self, game: Game, fused: bool = False) -> None:
        self.game, c = game, game.config
        d = [*game.discriminator.parameters(), *game.guess.parameters()]
        betas = (c.betas[0], c.betas[1])
        self.d_optimizer = torch.optim.Adam(d, c.d_lr, betas=betas, fused=fused or None)
        self.g_optimizer = torch.optim.Adam(
            game.generator.parameters(), c.lr, betas=betas, fused=fused or None
        )

    def step(self, batch: ImageBatch) -> tuple[float, float]:
        """Losses of the discriminator and of the generator."""
        game = self.game
        for module in self.modules():
            module.train()
        count, real = len(batch.images), game.levels(batch.images)
        fakes, codes = self.fakes(count)
        said = game.discriminator(real)[0]
        denied, features = game.discriminator(fakes.detach())
        d_loss = softplus(-said).mean() + softplus(denied).mean() - self.reward(features, codes)
        self.d_optimizer.zero_grad()
        d_loss.backward()
        self.d_optimizer.step()
        fakes, codes = self.fakes(count)
        said, features = game.discriminator(fakes)
        g_loss = softplus(-said).mean() - self.reward(features, codes)
        self.g_optimizer.zero_grad()
        g_loss.backward()
        self.g_optimizer.step()
        return d_loss.item(), g_loss.item()

    def modules(self) -> Iterator[nn.Module]:
        yield from (self.game.generator, self.game.discriminator, self.game.guess)

    def fakes(self, count: int) -> tuple[Tensor, Tensor]:
        codes = self.game.codes.draw(count)
        noise = self.game.noise(count)
        return self.game.generator(torch.cat((noise, codes), 1)), codes

    def reward(self, features: Tensor, codes: Tensor) -> Tensor:
        """lambda times the bound, but for the constants of continuous codes."""
        guess, (discrete, continuous) = self.game.guess(features), self.game.config.reward
        total = guess.new_zeros(())
        for code in self.game.codes.codes:
            if code.kind == "categorical":
                logits = guess[:, code.guess_at : code.guess_at + code.values]
                told = code.entropy - cross_entropy(logits, codes[:, code.slice].argmax(1))
                total = total + discrete * told
            else:
                off = codes[:, code.at] - guess[:, code.guess_at]
                total = total - continuous * 0.5 * off.square().mean()
        return total
