"""The command line: what is an override, a flag, a verb, and what is a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner import cli
from runner.errors import ConfigError

SENTENCES = {
    "method=realnv": ["method=realnv", "did you mean realnvp", "conf/method"],
    "dataset=cifer10": ["dataset=cifer10", "cifar10", "conf/dataset"],
    "debug=fst": ["debug=fst", "fast"],
    "preset=realnvp/cifar1": ["preset=realnvp/cifar1", "realnvp/cifar10"],
    "experiment=realnvp/digit_cpu": ["experiment=realnvp/digit_cpu", "realnvp/digits_cpu"],
    "trainer=defualt": ["trainer=defualt", "default"],
    "method.lrr=1": ["method.lrr", "method.lr", "conf/method/realnvp.yaml"],
    "lr=1": ["lr is not a key", "method.lr"],
    "trainer.step=5": ["trainer.step", "trainer.steps", "conf/trainer/default.yaml"],
    "data.rot=x": ["data.rot", "data.root", "conf/config.yaml"],
    "+foo=1": ["foo", "conf/config.yaml"],
    "++method.foo=1": ["method.foo", "conf/method/realnvp.yaml"],
    "~method.lr": ["method.lr", "no value", "conf/method/realnvp.yaml"],
    "method.lr=abc": ["method.lr=abc", "a number"],
    "method.lr=-1": ["method.lr=-1", "above 0"],
    "method.lr=nan": ["method.lr=nan", "finite"],
    "method.lr=null": ["method.lr=null", "a number"],
    "method.logit=x": ["method.logit=x", "symmetric, paper, none"],
    "seed=1.5": ["seed=1.5", "whole number"],
    "threads=0": ["threads=0", "at least 1"],
    "device=gpu": ["device=gpu", "auto, cpu, cuda"],
    "precision=fp8": ["precision=fp8", "fp32, bf16, fp16"],
    "compile=maybe": ["compile=maybe", "true or false"],
    "task=tran": ["task=tran", "train"],
    "task=evaluate": ["task=evaluate", "checkpoint=DIR"],
    "task=evaluate checkpoint=null": ["task=evaluate", "checkpoint=DIR"],
    "device=cpu:": ["device=cpu:", "cuda:N"],
    "device=cuda:²": ["device=cuda:²", "cuda:N"],
    "outputs=": ["outputs", "empty"],
    "threads=2147483647": ["threads=2147483647", "at most 1024"],
    "seed=1" + 400 * "0": ["seed=1", "out of range"],
    "method.lr=1" + 400 * "0": ["method.lr=1", "out of range"],
    "seed=1" + 5000 * "0": ["seed=1", "key=value"],
    "hydra.sweeper.params={seed:1}": ["hydra.sweeper.params"],
    "-m hydra/launcher=evil seed=1,2": ["hydra/launcher/evil"],
    "method.lr=1,2": ["-m", "method.lr=[...]"],
    "method.lr=[1": ["method.lr=[1", "key=value"],
    "method.lr=${oc.env:HOME}": ["resolvers"],
    "outputs='${oc.env:HOME}'": ["resolvers"],
    "+method._target_=os.system": ["code"],
    "hydra.run.dir=x": ["hydra.run.dir", "outputs=DIR"],
    "hydra/job_logging=default": ["hydra/job_logging"],
    "+hydra.job_logging.handlers.x.()=os.system": ["hydra"],
    "hydra.launcher._target_=os.system": ["code"],
    "hydra.job.env_set.X=1": ["hydra.job.env_set"],
    "methods.path=[/nowhere]": ["methods.path", "/nowhere"],
    "checkpoint=x": ["checkpoint=x", "run resume x"],
    "checkpoint=/nowhere task=evaluate": ["checkpoint=/nowhere"],
    "resme x": ["'resme'", "did you mean resume"],
    "--foo": ["--foo"],
    "--config-dir": ["--config-dir"],
    "--config-dir=/nowhere seed=1": ["--config-dir", "/nowhere"],
    "resume /nowhere": ["/nowhere"],
    "data fetch mnis": ["mnis", "did you mean mnist"],
    "data fech mnist": ["fech", "fetch"],
    "list a=1": ["list a=1", "methods.path"],
    "list methds": ["methds", "methods"],
}


@pytest.mark.parametrize("line", SENTENCES)
def test_wrong_input_is_one_line_and_exit_code_2(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(line.split()) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("error: ")
    assert shown.err.count("\n") == 1
    assert all(word in shown.err for word in SENTENCES[line]), shown.err


HYDRA_NODES = {
    "callbacks": "{x: {_target_: logging.FileHandler, filename: FILE}}",
    "hydra_logging": "{version: 1, handlers: {x: {(): logging.FileHandler, filename: FILE}}}",
    "launcher": "{_target_: logging.FileHandler, filename: FILE}",
    "sweeper": "{params: {seed: '1,2'}}",
    "sweep": "{dir: FILE}",
    "job": "{env_set: {X: '1'}}",
}


@pytest.mark.parametrize("words", [[], ["-m", "seed=1,2"]])
@pytest.mark.parametrize("node", HYDRA_NODES)
def test_a_file_cannot_reach_hydras_own_settings(
    node: str, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "experiment").mkdir()
    trace = tmp_path / "trace"
    text = f"# @package _global_\nhydra:\n  {node}: {HYDRA_NODES[node].replace('FILE', str(trace))}\n"
    (tmp_path / "experiment" / "mine.yaml").write_text(text)
    assert cli.main([*words, f"--config-dir={tmp_path}", "experiment=mine", f"outputs={tmp_path}"]) == 2
    assert f"hydra.{node}" in capsys.readouterr().err
    assert not trace.exists()


def test_a_value_with_an_equals_sign_needs_no_quotes() -> None:
    assert cli.quoted("checkpoint=a/seed=1,lr=2") == 'checkpoint="a/seed=1,lr=2"'
    assert cli.quoted("checkpoint=a/seed=1,b", multirun=True) == 'checkpoint="a/seed=1",b'
    assert cli.quoted("outputs=ü,b") == 'outputs="ü,b"'
    assert cli.quoted("data.root=~/my data") == 'data.root="~/my data"'
    assert cli.quoted("dataset.path=a,b.zip") == 'dataset.path="a,b.zip"'
    assert cli.quoted("dataset.path=pics, old (1).zip") == 'dataset.path="pics, old (1).zip"'
    assert cli.quoted("outputs=a,b", multirun=True) == "outputs=a,b"
    assert cli.quoted("methods.path=~/mine") == 'methods.path="~/mine"'
    for word in (
        "seed=1",
        "a={b=c}",
        "a=[b=c]",
        "a='b=c'",
        'a="b=c"',
        "a=sort(1,reverse=true)",
        "~a",
        "data.root=null",
    ):
        assert cli.quoted(word) == word
    words = cli.sort_words(["-m", "checkpoint=a/seed=1,b/seed=2"])
    assert words.overrides == ['checkpoint="a/seed=1","b/seed=2"']


def test_full_error_shows_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(ConfigError):
        cli.main(["method=realnv"])


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(verb in text for verb in cli.VERBS)
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("reclaim ")


def test_words_are_sorted() -> None:
    words = cli.sort_words(["-m", "a=1", "--config-dir", "x", "~b", "--cfg", "job", "--config-dir=y"])
    assert words == cli.Words(["a=1", "~b"], [Path("x"), Path("y")], True, True)


def test_a_config_folder_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "experiment" / "mine"
    folder.mkdir(parents=True)
    (folder / "small.yaml").write_text("# @package _global_\ntrainer:\n  steps: 3\n")
    assert cli.main(["--config-dir", str(tmp_path), "experiment=mine/small", "--cfg"]) == 0
    assert "  steps: 3\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    "text",
    [
        "# @package _global_\nmethod:\n  _target_: os.system\n",
        "# @package _global_\noutputs: ${oc.env:HOME}\n",
        "# @package _global_\nmethod:\n  (): os.system\n",
        "# @package _global_\ntrainer: [\n",
        "# @package _global_\ntrainer:\n  stepps: 3\n",
    ],
)
def test_a_config_file_cannot_call_code_or_be_wrong(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "bad.yaml").write_text(text)
    assert cli.main(["--config-dir", str(tmp_path), "experiment=bad"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
