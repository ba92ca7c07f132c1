"""iMAML, and the methods that it is judged against: one stage, and each method's gradient."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from datasets.types import Episode
from methods.imaml.config import LAM, AnilConfig, ImamlConfig, MamlConfig, SolverConfig
from methods.imaml.implicit import Implicit
from methods.imaml.inner import Inner
from methods.imaml.meta import (
    Meta,
    descended,
    first_order,
    headed,
    headed_descended,
    implicit,
    reptile,
    unrolled,
)
from methods.imaml.stage import MetaStage
from methods.imaml.tasks import HeadedTasks, Losses, Tasks
from runner.api import Inputs, Method, Metrics, Stage, Update


class Lambda(nn.Module):
    """Strengths of the pull to the meta-parameters, by their logarithms."""

    def __init__(self, value: float, many: int, learned: bool) -> None:
        super().__init__()
        self.log = nn.Parameter(torch.full((many,), math.log(value)), requires_grad=learned)

    def strengths(self) -> Tensor:
        """Lambdas `[many]`, however far learning went."""
        return self.log.detach().exp().clamp(*LAM)


@dataclass(frozen=True)
class Official:
    """Adaptation as the authors' code has it: without the pull, of which one step is made at the end."""

    inner: Inner

    def __call__(self, losses: Losses, theta: Tensor, lam: Tensor) -> Tensor:
        """As `Inner`'s."""
        phi = self.inner(losses, theta, torch.zeros_like(lam))
        return phi - self.inner.lr * lam * (phi - theta)


class ImamlStage(MetaStage):
    """By the implicit function theorem (Rajeswaran et al., NeurIPS 2019)."""

    method = "iMAML"

    config: ImamlConfig

    def build(self, inputs: Inputs) -> None:
        super().build(inputs)
        self.tracked["lambda"] = self.lam

    def groups(self) -> list[dict[str, Any]]:
        c = self.config
        many = self.flat.layers if c.learn_lam == "layers" else 1
        self.lam = Lambda(c.lam, many, c.learn_lam != "none").to(self.inputs.device)
        own = [] if c.learn_lam == "none" else [{"params": [self.lam.log], "lr": c.lam_lr}]
        return [*super().groups(), *own]

    @property
    def strengths(self) -> Tensor:
        """Lambda, one number or one for each parameter `[D]`."""
        lam = self.lam.strengths()
        return lam[self.flat.layer.to(lam.device)] if len(lam) > 1 else lam[0]

    def _solver(self, steps: int) -> Inner | Official:
        inner = self.inner(steps, self.config.inner_solver, self.config.directions)
        return Official(inner) if self.config.variant == "official_code" else inner

    def meta(self, tasks: Tasks, theta: Tensor, many: int) -> Meta:
        c = self.config
        solve = Implicit(c.cg_steps, c.damping, c.cg_tol, c.inverse, c.variant)
        return implicit(tasks, theta, self.strengths, self._solver(c.inner_steps), solve, many)

    def adapt(self, tasks: Tasks, theta: Tensor, steps: int) -> Tensor:
        return self._solver(steps)(tasks.support, theta, self.strengths)

    def others(self, found: list[tuple[float, Meta]]) -> list[Tensor]:
        if self.config.learn_lam == "none":
            return []
        each = sum(weight * meta.by_log_lambda for weight, meta in found if meta.by_log_lambda is not None)
        assert isinstance(each, Tensor)
        if self.config.learn_lam == "scalar":
            return [each.sum().reshape(1)]
        layers = torch.zeros_like(self.lam.log)
        return [layers.index_add(0, self.flat.layer.to(each.device), each)]

    def step(self, batch: Episode, update: Update, step: int) -> Metrics:
        found = super().step(batch, update, step)
        return found if self.config.learn_lam == "none" else found | {"lambda": self.strengths.mean()}


class MamlStage(MetaStage):
    """Through the steps of adaptation (Finn, Abbeel and Levine, ICML 2017)."""

    method = "MAML"

    config: MamlConfig

    def meta(self, tasks: Tasks, theta: Tensor, many: int) -> Meta:
        c = self.config
        return unrolled(tasks, theta, c.inner_lr, c.inner_steps, many, c.through)

    def adapt(self, tasks: Tasks, theta: Tensor, steps: int) -> Tensor:
        return descended(tasks.support, theta, self.config.inner_lr, steps)


class AnilStage(MetaStage):
    """The same, in which only the last layer adapts (Raghu et al., ICLR 2020)."""

    method = "ANIL"

    config: AnilConfig

    def tasks(self, batch: Episode) -> HeadedTasks:
        whole = super().tasks(batch)

        def headed(phi: Tensor) -> Tasks:
            return Tasks(
                self._of_head(phi, batch.support, batch.support_labels),
                self._of_head(phi, batch.query, batch.query_labels),
            )

        return HeadedTasks(whole.support, whole.query, headed, self.flat.body)

    def _of_head(self, phi: Tensor, x: Tensor, wanted: Tensor) -> Losses:
        features = self.flat.features(phi, self._input(x))
        return lambda head: self.losses(self.flat.head(head, features), wanted)

    def meta(self, tasks: Tasks, theta: Tensor, many: int) -> Meta:
        c = self.config
        assert isinstance(tasks, HeadedTasks)
        return headed(tasks, theta, c.inner_lr, c.inner_steps, many, c.through)

    def adapt(self, tasks: Tasks, theta: Tensor, steps: int) -> Tensor:
        assert isinstance(tasks, HeadedTasks)
        return headed_descended(tasks, theta, self.config.inner_lr, steps)


class FomamlStage(MetaStage):
    """MAML's gradient without second derivatives."""

    method = "first-order MAML"

    config: SolverConfig

    def meta(self, tasks: Tasks, theta: Tensor, many: int) -> Meta:
        return first_order(tasks, theta, self._solver(self.config.inner_steps), many)

    def adapt(self, tasks: Tasks, theta: Tensor, steps: int) -> Tensor:
        return self._solver(steps)(tasks.support, theta, theta.new_zeros(()))

    def _solver(self, steps: int) -> Inner:
        return self.inner(steps, self.config.inner_solver)


class ReptileStage(FomamlStage):
    """The way from the adapted parameters back (Nichol, Achiam and Schulman, 2018)."""

    method = "Reptile"

    def meta(self, tasks: Tasks, theta: Tensor, many: int) -> Meta:
        both = Tasks(lambda phi: (tasks.support(phi) + tasks.query(phi)) / 2, tasks.query)
        return reptile(both, theta, self._solver(self.config.inner_steps), many)


class _One(Method):
    stage: type[MetaStage]

    def stages(self) -> list[Stage]:
        return [self.stage(self.config)]


class ImamlMethod(_One):
    """Meta-learning with implicit gradients."""

    stage = ImamlStage


class MamlMethod(_One):
    """Model-agnostic meta-learning."""

    stage = MamlStage


class AnilMethod(_One):
    """Almost no inner loop."""

    stage = AnilStage


class FomamlMethod(_One):
    """First-order MAML."""

    stage = FomamlStage


class ReptileMethod(_One):
    """Reptile."""

    stage = ReptileStage
