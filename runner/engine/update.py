"""How parameters change: micro-batches, autocast, loss scaling, clipping, one optimiser at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from runner.engine.team import Team
from runner.errors import ConfigError, NotFinite

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Updater:
    """The `Update` that a stage is lent.

    Attributes:
        precision: fp32, bf16 or fp16; fp16 scales the loss so that small gradients survive.
        accumulate: micro-batches that make a batch.
        clip: default bound of the global gradient norm.
        admit: called once with every optimiser before its first step; may refuse it.
        team: the processes that share each batch.
        weight: this process's share of the current step's batch, times the number of processes.
    """

    def __init__(
        self,
        device: torch.device,
        precision: str,
        accumulate: int,
        clip: float | None,
        admit: Callable[[torch.optim.Optimizer], None] = lambda optimizer: None,
        team: Team | None = None,
    ) -> None:
        self.device, self.precision, self.accumulate, self.clip = device, precision, accumulate, clip
        self._admit, self._admitted = admit, set[int]()
        self.team, self.weight = team or Team(), 1.0
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")
        # Reading a number off an accelerator waits for it; there the loop looks at every logged line instead.
        self._look = device.type == "cpu"

    def autocast(self) -> AbstractContextManager[Any]:
        """The context in which forward passes run."""
        if self.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=DTYPES[self.precision])

    def minimise(
        self,
        optimizer: torch.optim.Optimizer,
        loss: Callable[[Any], tuple[Tensor, dict[str, Any]]],
        batch: Any,
        clip: float | None = None,
    ) -> dict[str, Any]:
        """See `runner.api.Update.minimise`."""
        parameters = self._parameters(optimizer)
        _forget(parameters)
        parts, shared = self.team.parts(batch, self.accumulate), self.team.wrapped(optimizer, parameters)
        metrics: dict[str, Any] = {}
        total: Any = None
        for part in parts:
            with nullcontext() if shared is None or part is parts[-1] else shared.silent():
                with part.noise, self.autocast():
                    value, found = loss(part.batch) if shared is None else shared(loss, part.batch)
                mean = self.team.mean(value, part.weight)
                self._check(mean)
                scaled = value * part.weight if part.weight != 1.0 else value
                self.scaler.scale(scaled).backward(inputs=parameters)
            total = _added(total, mean, part.weight if shared is None else 1.0)
            for name, item in found.items():
                item = item.detach() if isinstance(item, Tensor) else item
                metrics[name] = _added(metrics.get(name), item, part.local)
        return metrics | {"loss": total} | self._step(optimizer, parameters, clip)

    def apply(
        self, optimizer: torch.optim.Optimizer, gradients: Iterable[Tensor | None], clip: float | None = None
    ) -> dict[str, Any]:
        """See `runner.api.Update.apply`."""
        if self.precision != "fp32":
            raise ConfigError(
                f"precision={self.precision}: this method makes its gradients itself, in fp32; give "
                f"precision=fp32"
            )
        if self.accumulate > 1:
            raise ConfigError(
                f"trainer.accumulate={self.accumulate}: this method makes its gradients itself, of whole "
                f"batches; give trainer.accumulate=1"
            )
        parameters = self._parameters(optimizer)
        averaged = self.team.average(gradients, self.weight)
        for parameter, gradient in zip(parameters, averaged, strict=True):
            parameter.grad = None if gradient is None else gradient.detach()
            if self._look and gradient is not None and not bool(torch.isfinite(gradient).all()):
                raise NotFinite("a gradient set by hand is not finite")
        return self._step(optimizer, parameters, clip, scaled=False)

    def _parameters(self, optimizer: torch.optim.Optimizer) -> list[Tensor]:
        if id(optimizer) not in self._admitted:
            self._admit(optimizer)
            self._admitted.add(id(optimizer))
        return [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad]

    def _check(self, loss: Tensor) -> None:
        if self._look and not math.isfinite(loss.item()):
            raise NotFinite(f"the loss is {loss.item()}")

    def _step(
        self,
        optimizer: torch.optim.Optimizer,
        parameters: list[Tensor],
        clip: float | None,
        scaled: bool = True,
    ) -> dict[str, Any]:
        scaled = scaled and self.scaler.is_enabled()
        if scaled:
            self.scaler.unscale_(optimizer)
        metrics = {}
        bound = self.clip if clip is None else clip
        if bound is not None:
            norm = torch.nn.utils.clip_grad_norm_(parameters, bound, foreach=True)
            if self._look and not scaled and not math.isfinite(norm.item()):
                raise NotFinite(f"the gradient's norm is {norm.item()}")
            metrics["grad_norm"] = norm.detach()
        if scaled:
            self.scaler.step(optimizer)
            self.scaler.update()
        else:
            optimizer.step()
        _forget(parameters)
        return metrics


def _added(total: Any, value: Any, weight: float) -> Any:
    """`total + weight * value`; a tensor's sum and product cost microseconds, and few steps need them."""
    weighted = value if weight == 1.0 else weight * value
    return weighted if total is None else total + weighted


def _forget(parameters: Iterable[Tensor]) -> None:
    """Frees gradients; an optimiser's own `zero_grad` takes ten times as long."""
    for parameter in parameters:
        parameter.grad = None
