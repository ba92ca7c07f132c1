"""What a method must give the engine, checked on arrival, so that a mistake is named and not its echo."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from runner.api import Stage, TrainStage
from runner.errors import BadMethod, nearest
from runner.registry import shown


def place(stage: Stage) -> str:
    """The stage as a message names it: its name and file."""
    return f"stage {stage.name} ({shown(Path(inspect.getfile(type(stage))))})"


def mapping(found: Any, stage: Stage, what: str) -> Mapping[str, Any]:
    """What method `what` of `stage` returned; raises `BadMethod` unless it maps names to values."""
    if not isinstance(found, Mapping):
        raise BadMethod(f"{place(stage)}: {what} returned {_kind(found)}; it must return a dict of numbers")
    return found


def numbers(found: Any, stage: Stage, what: str) -> dict[str, float]:
    """The same as Python floats; raises `BadMethod` for one that is no single number."""
    values = {}
    for name, value in mapping(found, stage, what).items():
        try:
            values[name] = float(value)
        except (TypeError, ValueError, RuntimeError):
            raise BadMethod(f"{place(stage)}: {what} returned a {name} that is no single number") from None
    return values


def items(found: Any) -> tuple[Any, dict[str, Any]]:
    """Of what a task returned: all of it with means for what has a value for each item, and those values.

    A value for each item, such as each image, is a tensor `[N]` or a list of numbers.
    """
    if not isinstance(found, Mapping):
        return found, {}
    kept = {
        name: torch.as_tensor(value).detach().double().cpu()
        for name, value in found.items()
        if isinstance(value, list | tuple) or (isinstance(value, torch.Tensor) and value.ndim == 1)
    }
    return {**found, **{name: value.mean() for name, value in kept.items()}}, kept


def of_split(metrics: Mapping[str, float], stage: Stage, split: str) -> None:
    """Raises `BadMethod` for a metric not called `<split>/<name>`, and for a monitor that is missing."""
    for name in metrics:
        if not name.startswith(f"{split}/"):
            raise BadMethod(
                f'{place(stage)}: evaluate("{split}") returned {name}; it must be called {split}/{name}'
            )
    monitor = getattr(stage, "monitor", None)
    if monitor is not None and split == "validation" and monitor not in metrics:
        known = nearest(monitor, metrics)
        raise BadMethod(f'{place(stage)}: evaluate("validation") gives no {monitor}, its monitor{known}')


def tracked(stage: TrainStage) -> None:
    """Raises `BadMethod` unless `build` has set `tracked` to things that have a state."""
    found = getattr(stage, "tracked", None)
    if not isinstance(found, dict):
        raise BadMethod(f"{place(stage)}: build must set self.tracked to a dict of modules and optimisers")
    for name, value in found.items():
        if not (hasattr(value, "state_dict") and hasattr(value, "load_state_dict")):
            raise BadMethod(
                f"{place(stage)}: tracked[{name!r}] is {_kind(value)}, which has no state_dict and "
                f"load_state_dict"
            )


def optimiser(stage: TrainStage, used: torch.optim.Optimizer) -> None:
    """Raises `BadMethod` if an optimiser that takes a step, or what it trains, would be in no checkpoint.

    What a tracked object of another class holds is its own affair, and not looked into.
    """
    values = list(stage.tracked.values())
    if any(not isinstance(value, (nn.Module, torch.optim.Optimizer)) for value in values):
        return
    if not any(value is used for value in values):
        raise BadMethod(
            f"{place(stage)}: its {type(used).__name__} takes steps, but is not in self.tracked; a resumed "
            f"run would go on without its state"
        )
    kept = {id(p) for value in values if isinstance(value, nn.Module) for p in value.parameters()}
    if any(id(p) not in kept for group in used.param_groups for p in group["params"]):
        raise BadMethod(
            f"{place(stage)}: its {type(used).__name__} trains parameters of no module in self.tracked; a "
            f"checkpoint would not hold them"
        )


def _kind(value: Any) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
