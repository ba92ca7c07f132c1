"""Settings that do nothing, and presets that choose what they are for."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner import cli
from runner.compose import Composer
from runner.idle import idle


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["method.depth=14"], ["method.depth does nothing with method.network=mlp"]),
        (["method.network=resnet", "method.depth=14"], []),
        (["method.groups=4", "method.norm=batch"], ["method.groups does nothing with method.norm=batch"]),
        (["method.groups=4", "method.norm=group"], []),
        (["method.lr=0.2", "trainer.steps=3"], []),
    ],
)
def test_what_does_nothing_is_named(words: list[str], said: list[str]) -> None:
    assert idle(Composer(["method=batchnorm", *words]).compose()) == said


def test_it_is_said_when_a_run_begins(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["method=batchnorm", "method.depth=14", "trainer.steps=1", f"outputs={tmp_path}", "threads=1"]
    assert cli.main(words) == 0
    assert "method.depth does nothing with method.network=mlp" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["preset=groupnorm/cifar10"], "groupnorm-cifar10"),
        (["method=groupnorm", "preset=groupnorm/fashion_mnist"], "groupnorm-fashion_mnist"),
        (["preset=groupnorm/cifar10", "dataset=mnist"], "groupnorm-mnist"),
        (["method=pixelcnn", "preset=none"], "pixelcnn-digits"),
    ],
)
def test_a_preset_is_for_its_method_and_data(words: list[str], name: str) -> None:
    composed = Composer(words).compose()
    assert composed.name == name
    assert Composer([]).compose(list(composed.overrides)).config == composed.config
