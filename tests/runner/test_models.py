"""A finished run as a model for another method."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from runner import cli
from runner.compose import Composer
from runner.engine.context import Context
from runner.errors import ConfigError
from runner.models import model_of
from runner.run import load_data

WORDS = ["dataset=digits", "method.hidden=[16]", "trainer.steps=30", "threads=1"]


def trained(place: Path, *words: str) -> Path:
    assert cli.main([*WORDS, *words, f"outputs={place}"]) == 0
    (found,) = place.glob("*/*")
    return found


def asking(run: Path, kind: str = "classifier", words: tuple[str, ...] = ("dataset=digits",)):  # type: ignore[no-untyped-def]
    """The model that a run of another method gets."""
    from runner.engine.feed import Feed
    from runner.engine.team import Team
    from runner.signals import StopRequest

    composed = Composer(["method=realnvp", *words]).compose()
    where, data = torch.device("cpu"), load_data(composed)
    context = Context(
        seed=5, device=where, precision="fp32", compile=False, trainer=composed.root.trainer,
        debug=composed.root.debug, data=data, batch_size=7, feed=Feed(where, 0, Team()), stop=StopRequest(),
        cache=run, numerics={},
    )  # fmt: skip
    return model_of(composed, context, kind, run), data


@pytest.mark.parametrize(
    "words",
    [
        ("method=batchnorm", "method.norm=none", "method.input=standard"),
        ("method=batchnorm", "method.norm=batch", "method.input=standard", "trainer.ema=0.9"),
        ("method=groupnorm", "method.network=mlp", "method.norm=batch", "method.recalibrate_batches=3"),
    ],
    ids=["plain", "averaged", "recalibrated"],
)
def test_a_classifier_answers_as_it_was_evaluated(words: tuple[str, ...], tmp_path: Path) -> None:
    run = trained(tmp_path, *words)
    model, data = asking(run)
    assert (model.shape, model.classes) == (data.shape, data.classes)
    images, labels = data.test.batch(torch.arange(len(data.test)))
    before = {k: v.clone() for k, v in model.classifier.state_dict().items()}
    x = (images.float() / (data.levels - 1)).requires_grad_()
    logits = model.logits(x)
    told = json.loads((run / "result.json").read_text())["metrics"]
    assert float((logits.argmax(1) == labels).double().mean()) == pytest.approx(
        told["test/accuracy"], abs=1e-9
    )
    loss = float(torch.nn.functional.cross_entropy(logits, labels))
    assert loss == pytest.approx(told["test/loss"], rel=1e-5)
    logits.sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0
    assert all(p.grad is None for p in model.classifier.parameters())
    assert all(torch.equal(v, before[k]) for k, v in model.classifier.state_dict().items())


def test_a_density_is_the_one_that_was_measured(tmp_path: Path) -> None:
    """Within what a draw of the place in a cell makes of it; and noise is less likely than digits."""
    words = ("method.n_scale=2", "method.couplings=1", "method.blocks=1", "method.width=4", "trainer.ema=0.9")
    assert cli.main(["method=realnvp", *words, "dataset=digits", "trainer.steps=30", "threads=1",
                     f"outputs={tmp_path}"]) == 0  # fmt: skip
    (run,) = tmp_path.glob("*/*")
    model, data = asking(run, "density")
    images, _ = data.test.batch(torch.arange(len(data.test)))
    x = (images.float() / (data.levels - 1)).requires_grad_()
    found = model.log_density(x)
    told = json.loads((run / "result.json").read_text())["metrics"]["test/bits_per_dim"]
    assert -float(found.mean()) / (64 * 0.6931472) == pytest.approx(told, rel=0.03)
    found.sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    noisy = (x + 0.3 * torch.randn_like(x)).clamp(0, 1)
    assert float(model.log_density(noisy).mean()) < float(found.mean())


def test_the_asking_run_may_have_other_data(tmp_path: Path) -> None:
    run = trained(
        tmp_path, "method=batchnorm", "method.norm=none", "method.input=standard", "dataset.classes=[1,2,3]"
    )
    model, _ = asking(run)
    assert model.classes == ("1", "2", "3")


def test_what_is_no_such_model_is_a_sentence(tmp_path: Path) -> None:
    run = trained(tmp_path / "a", "method=batchnorm", "method.norm=none")
    with pytest.raises(ConfigError, match=r"is a run of method=batchnorm, which is no density"):
        asking(run, "density")
    with pytest.raises(ConfigError, match="there is no such folder"):
        asking(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="is not the folder of a run"):
        asking(tmp_path)


def test_pixels_that_are_rounded_give_no_gradient(tmp_path: Path) -> None:
    run = trained(tmp_path, "method=batchnorm", "method.norm=none", "method.input=binary")
    with pytest.raises(ConfigError, match=r"method.input=binary rounds pixels"):
        asking(run)
