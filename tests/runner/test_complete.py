"""Shell completion: what may follow on a line."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner import cli

TOYS = Path(__file__).resolve().parents[1] / "toys"


def shown(line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    monkeypatch.setenv("COMP_LINE", line)
    monkeypatch.setenv("COMP_POINT", str(len(line)))
    assert cli.main(["-sc", "query=bash"]) == 0
    return capsys.readouterr().out.split()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("run li", ["list"]),
        ("run experiment=realnvp/dig", ["experiment=realnvp/digits_cpu"]),
        ("run preset=realnvp/cifar1", ["preset=realnvp/cifar10"]),
        ("run method=realnvp task=s", ["task=sample"]),
        ("run method=realnvp task=check/a", ["task=check/arbitrary_networks"]),
        ("run precision=f", ["precision=fp16", "precision=fp32"]),
        ("run compile=", ["compile=false", "compile=true"]),
        ("run device=c", ["device=cpu", "device=cuda"]),
        ("run list p", ["presets"]),
        ("run data fetch fashion", ["fashion_mnist"]),
        ("run data ver", ["verify"]),
        (f"run methods.path=[{TOYS}] method=toy_g", ["method=toy_gan"]),
        ("run compare outputs/", []),
        ("run seed=", ["seed=0"]),
        ("run threads=", []),
        ("run checkpoint=", []),
        ("run outputs=", []),
        ("run data.root=", []),
        ("run trainer.keep_best=", ["trainer.keep_best=false", "trainer.keep_best=true"]),
        ("run method=realnvp method.logit=", [f"method.logit={n}" for n in ("none", "paper", "symmetric")]),
        ("run dataset=mnist dataset.in_memory=f", ["dataset.in_memory=false"]),
        ("run -m sweep.on_error=", ["sweep.on_error=continue", "sweep.on_error=stop"]),
        ("run -m sweeper=optuna sweeper.prune=m", ["sweeper.prune=median"]),
        ("run -m sweeper.prune=", []),
        ("run -m launcher=slurm launcher.partition=", []),
        ("run nonsense.x=", []),
        ("run method=nonsense method.lr=", []),
    ],
)
def test_what_may_follow(
    line: str, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown(line, monkeypatch, capsys) == words


def test_keys_come_from_hydra_without_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = shown("run ", monkeypatch, capsys)
    assert {"method.", "trainer.", "seed=", "compare", "resume"} <= set(words)
    assert not any(word.startswith("hydra") for word in words)
    assert "method.lr=" in shown("run method.l", monkeypatch, capsys)


def test_the_shells_function_is_hydras(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["-sc", "install=bash"]) == 0
    assert "complete" in capsys.readouterr().out
