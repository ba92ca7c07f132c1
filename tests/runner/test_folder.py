"""Run folders: exclusive, locked, whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runner import atomic, folder
from runner.errors import ConfigError


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
    config = {"seed": 3, "method": {"lr": 1e-8, "betas": [0.9, 0.999]}, "data": {"root": None}}
    folder.write_config(tmp_path, config, {"method": "x"}, ("seed=3", "method.lr=1e-8"))
    assert folder.read_config(tmp_path) == (config, {"method": "x"}, ("seed=3", "method.lr=1e-8"))


@pytest.mark.parametrize("text", ["", "a: [", "- 1\n", "seed: 1\n"])
def test_a_damaged_config_is_a_sentence(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"config\.yaml"):
        folder.read_config(tmp_path)
    with pytest.raises(ConfigError, match="not the folder of a run"):
        folder.read_config(tmp_path / "nowhere")


def test_results_hold_finite_numbers_only(tmp_path: Path) -> None:
    folder.write_result(
        tmp_path, {"status": "completed", "metrics": {"a": 1.0, "b": float("nan"), "c": float("inf")}}
    )
    assert folder.read_result(tmp_path) == {"status": "completed", "metrics": {"a": 1.0}}
    assert folder.read_result(tmp_path / "nowhere") is None
    (tmp_path / "result.json").write_text("{torn")
    with pytest.raises(ConfigError, match=r"result\.json"):
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
