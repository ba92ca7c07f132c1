"""`run data fetch|verify` as a user types it."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner import cli


@pytest.mark.parametrize("action", ["fetch", "verify"])
def test_what_comes_with_the_program_has_no_files(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["data", action, "digits"]) == 0
    assert capsys.readouterr().out.startswith(f"nothing to {action}: ")


def test_missing_files_are_named_with_their_checksums(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["data", "verify", "mnist", f"data.cache={tmp_path}"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert all(": missing: https://" in line and ", md5:" in line for line in lines)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["look", "digits"], "run data look: there is no such action"),
        (["verify"], "run data verify needs the name of a data set; `run list datasets` shows them"),
        (["verify", "mnits"], "dataset=mnits is not known; did you mean mnist"),
        (["verify", "mnist", "data.rot=x"], "data.rot"),
    ],
)
def test_wrong_words_are_a_sentence(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["data", *words]) == 2
    errors = capsys.readouterr().err
    assert said in errors, errors
    assert errors.count("\n") == 1
