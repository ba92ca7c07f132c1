"""What the documents say is done, word by word."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

from tests.runner.conftest import Run, environment, run  # noqa: F401 - fixtures

ROOT = Path(__file__).resolve().parents[1]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_extending_works_word_by_word(run: Run, tmp_path: Path) -> None:  # noqa: F811
    text = (ROOT / "docs" / "extending.md").read_text()
    for name, body in re.findall(r"`(mine/[\w/.]+)`[^\n]*(?:\n[^\n`]+)*\n+```\w+\n(.*?)```", text, re.DOTALL):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body)
    assert len(list(tmp_path.rglob("*.*"))) == 8
    commands = blocks(text, "sh")[0].splitlines()
    assert len(commands) == 3
    for command in commands:
        words = shlex.split(command)
        done = run(*words[1:], *(["threads=1"] if "compare" not in words else []), cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    results = [json.loads(path.read_text()) for path in (tmp_path / "outputs").rglob("result.json")]
    assert len(results) == 5
    assert all(result["metrics"]["test/error"] < 0.2 for result in results)
    assert len(list((tmp_path / "outputs" / "compare").rglob("*.html"))) == 1
    folder = next(path.parent for path in (tmp_path / "outputs" / "softmax-digits").rglob("result.json"))
    (folder / "result.json").unlink()
    assert run("resume", str(folder), cwd=tmp_path).returncode == 0
    assert (folder / "result.json").is_file()
    assert run("task=evaluate", f"checkpoint={folder}", cwd=tmp_path).returncode == 0
    for command in blocks(text, "sh")[1].splitlines():
        done = run(*shlex.split(command)[1:], "threads=1", "outputs=stripes", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    (error,) = [
        json.loads(path.read_text())["metrics"]["test/error"]
        for path in (tmp_path / "stripes" / "softmax-stripes").rglob("result.json")
    ]
    assert error < 0.02


def test_every_link_and_file_that_a_document_names_is_there() -> None:
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        text = path.read_text()
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", text):
            assert (path.parent / target).exists(), f"{path.name} links to {target}"
        for target in re.findall(
            r"`((?!\S*NAME)(?:docs|tests|benchmarks|runner|methods|datasets|conf)/[\w/.*]+)`", text
        ):
            assert list(ROOT.glob(target)), f"{path.name} names {target}"
