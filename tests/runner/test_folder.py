"""Run folders: exclusive, locked, whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from runner import atomic, folder
from runner.errors import ConfigError

CHOICES = dict.fromkeys(("method", "dataset", "preset", "experiment", "trainer", "debug"), "x")


def test_parallel_starts_get_different_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where chance gives two the same name."""
    names = iter(["a", "a", "a", "b", "b", "c"] + [f"n{i}" for i in range(50)])
    monkeypatch.setattr(folder, "stamp", lambda: next(names))
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: folder.make(tmp_path / "runs"), range(20)))
    assert len(set(made)) == 20
    assert all(path.is_dir() for path in made)


def test_a_folder_is_used_by_one_process(tmp_path: Path) -> None:
    code = (
        f"from pathlib import Path\nfrom runner import folder\nwith folder.locked(Path({str(tmp_path)!r})): 0"
    )
    root = Path(__file__).resolve().parents[2]
    with folder.locked(tmp_path):
        done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
        assert done.returncode != 0
        assert "in use by another process" in done.stderr
    assert subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True).returncode == 0


def test_config_comes_back_as_it_was_written(tmp_path: Path) -> None:
    config = {"seed": 3, "method": {"lr": 1e-8, "betas": [0.9, 0.999]}, "methods": {"path": []}}
    folder.write_config(tmp_path, config, CHOICES, ("seed=3", "method.lr=1e-8"))
    assert folder.read_config(tmp_path) == (config, CHOICES, ("seed=3", "method.lr=1e-8"))


WHOLE = {"choices": CHOICES, "methods": {"path": []}, "outputs": "o"}


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"a: [",
        b"- 1\n",
        b"seed: 1\n",
        b"\xff\xfe\x00",
        yaml.safe_dump({**WHOLE, "choices": "foo"}).encode(),
        yaml.safe_dump({**WHOLE, "choices": {"method": "realnvp"}}).encode(),
        yaml.safe_dump({**WHOLE, "methods": {"path": 3}}).encode(),
        yaml.safe_dump({**WHOLE, "methods": {"path": [3]}}).encode(),
        yaml.safe_dump({**WHOLE, "outputs": "${x"}).encode(),
    ],
)
def test_a_damaged_config_is_a_sentence(text: bytes, tmp_path: Path) -> None:
    folder.write_config(tmp_path, {"methods": {"path": []}}, CHOICES, ())
    (tmp_path / "config.yaml").write_bytes(text)
    with pytest.raises(ConfigError, match=r"config\.yaml"):
        folder.read_config(tmp_path)
    with pytest.raises(ConfigError, match="not the folder of a run"):
        folder.read_config(tmp_path / "nowhere")


def test_results_hold_finite_numbers_only(tmp_path: Path) -> None:
    rest = {"status": "completed", "steps": 3, "seconds": 1.5}
    folder.write_result(tmp_path, {**rest, "metrics": {"a": 1.0, "b": float("nan"), "c": float("inf")}})
    assert folder.read_result(tmp_path) == {**rest, "metrics": {"a": 1.0}}
    assert folder.read_result(tmp_path / "nowhere") is None


@pytest.mark.parametrize("text", ["{torn", "{}", "[1]", "null", '{"status": "completed"}'])
def test_a_damaged_result_is_a_sentence(text: str, tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(ConfigError, match=r"result\.json is damaged"):
        folder.read_result(tmp_path)


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.json"
    atomic.write_json(path, {"a": 1})

    def fail(temporary: Path) -> None:
        temporary.write_text("half of")
        raise OSError("power cut")

    with pytest.raises(OSError, match="power cut"):
        atomic.replace(path, fail)
    with pytest.raises(ValueError, match=r"[Nn]a[Nn]|range"):
        atomic.write_json(path, {"a": float("nan")})
    assert json.loads(path.read_text()) == {"a": 1}
    assert os.listdir(tmp_path) == ["x.json"]
