"""What a finished run is to another method: a model of a kind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from runner import folder
from runner.compose import Composed, checked
from runner.engine.context import Context
from runner.engine.journal import Silent
from runner.engine.ledger import Ledger
from runner.errors import ConfigError
from runner.verbs.evaluate import run_of


def model_of(composed: Composed, context: Context, kind: str, place: Path) -> Any:
    """The model of `kind` that the finished run in `place` is, with its best weights, on this run's device.

    Arguments:
        composed, context: of the run that asks.

    Raises:
        ConfigError: where there is no finished run, or its method is no such model.
    """
    from runner.engine.pipeline import Pipeline
    from runner.run import load_data  # the run knows how data is reached

    home = run_of(place)
    other = checked(*folder.read_config(home), composed.registry)
    if kind not in other.method.entry.models:
        able = sorted(n for n, found in composed.registry.methods().items() if kind in found.entry.models)
        raise ConfigError(
            f"{place} is a run of method={other.choices['method']}, which is no {kind}: {', '.join(able)}"
        )
    same = other.dataset_config == composed.dataset_config
    theirs = replace(
        context,
        data=context.data if same else load_data(other),
        trainer=other.root.trainer,
        batch_size=other.dataset_config.batch_size,
        seed=other.root.seed,
        checkpoint=place,
    )
    pipeline = Pipeline(other, theirs, home, Silent(), Ledger(home, writes=False))
    stage, evaluator = pipeline.restored(place)
    if evaluator.averages is not None:
        evaluator.averages.keep()
    try:
        return stage.as_model(kind)
    except ValueError as error:
        raise ConfigError(f"{place}: {error}") from error
