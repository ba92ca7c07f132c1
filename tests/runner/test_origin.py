"""A wrong value in a file of the user's own: the message begins with that file."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.compose import Composer
from runner.errors import ConfigError

TOYS = Path(__file__).parents[1] / "toys"
GLOBAL = "# @package _global_\n"


def complaint(place: Path, files: dict[str, str], *words: str) -> str:
    """What is said of `words` with `files` in a folder of configuration called `own`."""
    for name, text in files.items():
        path = place / "own" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        Composer([*words, f"methods.path=[{TOYS}]"], [place / "own"]).compose()
    return str(caught.value).replace(f"{place}/", "").replace(f"{TOYS.parents[1]}/", "")


@pytest.mark.parametrize(
    ("file", "text", "words", "said"),
    [
        (
            "experiment/me.yaml", GLOBAL + "trainer:\n  stepz: 3\n", ["experiment=me"],
            "own/experiment/me.yaml: trainer.stepz is not a key of conf/trainer/default.yaml; "
            "did you mean steps?",
        ),
        (
            "experiment/a/me.yaml", GLOBAL + "method: {lr: fast}\n", ["experiment=a/me"],
            "own/experiment/a/me.yaml: method.lr=fast is not a number (see conf/method/realnvp.yaml)",
        ),
        (
            "preset/realnvp/mine.yaml", GLOBAL + "method: {betas: [0.9, x]}\n", ["preset=realnvp/mine"],
            "own/preset/realnvp/mine.yaml: method.betas[1]=x is not a number (see conf/method/realnvp.yaml)",
        ),
        (
            "debug/mine.yaml", GLOBAL + "debug: {nam: true}\n", ["debug=mine"],
            "own/debug/mine.yaml: debug.nam is not a key of conf/config.yaml; did you mean nan?",
        ),
        (
            "dataset/toy_points.yaml", "batch_size: 0\nlimit: null\nspread: 0.1\n",
            ["method=toy_flow", "dataset=toy_points"],
            "own/dataset/toy_points.yaml: dataset.batch_size=0 is out of range: it must be at least 1 "
            "(see tests/toys/conf/dataset/toy_points.yaml)",
        ),
        (
            "experiment/me.yaml", GLOBAL + "method: realnvp\n", ["experiment=me"],
            "own/experiment/me.yaml: method=realnvp is not a group of keys (see conf/method/realnvp.yaml)",
        ),
        (
            "experiment/me.yaml", "trainer:\n  steps: 3\n", ["experiment=me"],
            "own/experiment/me.yaml: its first line must be '# @package _global_'",
        ),
        (
            "preset/realnvp/mine.yaml", "trainer:\n  steps: 3\n", ["preset=realnvp/mine"],
            "own/preset/realnvp/mine.yaml: its first line must be '# @package _global_'",
        ),
    ],
)  # fmt: skip
def test_the_file_is_named(tmp_path: Path, file: str, text: str, words: list[str], said: str) -> None:
    assert complaint(tmp_path, {file: text}, *words) == said


def test_the_last_file_that_sets_a_key_is_named(tmp_path: Path) -> None:
    files = {
        "preset/realnvp/mine.yaml": GLOBAL + "trainer: {steps: -1}\n",
        "experiment/me.yaml": GLOBAL + "trainer: {steps: -2}\n",
        "debug/other.yaml": GLOBAL + "trainer: {steps: -3}\n",
    }
    said = complaint(tmp_path, files, "preset=realnvp/mine", "experiment=me")
    assert said.startswith("own/experiment/me.yaml: trainer.steps=-2 is out of range")


@pytest.mark.parametrize("word", ["trainer.steps=-1", "++trainer.steps=-1", "+experiment.x=1"])
def test_a_word_of_the_command_is_no_files_fault(tmp_path: Path, word: str) -> None:
    files = {"experiment/me.yaml": GLOBAL + "trainer: {steps: 3}\n"}
    said = complaint(tmp_path, files, "experiment=me", word)
    assert said.startswith(word.lstrip("+").partition("=")[0].split(".")[0])


def test_a_file_cannot_say_where_methods_lie(tmp_path: Path) -> None:
    path = tmp_path / "experiment" / "me.yaml"
    path.parent.mkdir()
    path.write_text(GLOBAL + "methods: {path: [/tmp]}\n")
    with pytest.raises(ConfigError, match="can only be a word of the command"):
        Composer(["experiment=me"], [tmp_path]).compose()


def test_the_yaml_of_a_method_from_elsewhere_is_named_where_it_lies(tmp_path: Path) -> None:
    said = complaint(tmp_path, {"x.yaml": ""}, "method=toy_flow", "method.lr=fast")
    assert said == "method.lr=fast is not a number (see tests/toys/conf/method/toy_flow.yaml)"
    said = complaint(tmp_path, {"x.yaml": ""}, "method=toy_flow", "method.lrr=1")
    assert said.startswith("method.lrr is not a key of tests/toys/conf/method/toy_flow.yaml; did you mean")
