"""Checkpoints: plain, whole, read back, without code."""

from __future__ import annotations

import os
from pathlib import Path

import numpy
import pytest
import torch

from runner.engine import checkpoint
from runner.errors import ConfigError


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    state = {"a": torch.arange(5), "b": {"c": [1, 2.5, None, "x", (True,)]}, "n": numpy.float64(0.5)}
    checkpoint.save(tmp_path / "x" / "last.pt", state)
    loaded = checkpoint.load(tmp_path / "x" / "last.pt")
    assert torch.equal(loaded["a"], torch.arange(5))
    assert loaded["b"] == {"c": [1, 2.5, None, "x", (True,)]}
    assert loaded["n"] == 0.5


def test_optimiser_state_survives(tmp_path: Path) -> None:
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.Adam([weight], lr=0.1)
    weight.grad = torch.ones(3)
    optimizer.step()
    checkpoint.save(tmp_path / "o.pt", {"optimizer": optimizer.state_dict()})
    other = torch.optim.Adam([torch.nn.Parameter(torch.ones(3))], lr=0.9)
    other.load_state_dict(checkpoint.load(tmp_path / "o.pt")["optimizer"])
    assert other.param_groups[0]["lr"] == 0.1
    assert torch.equal(
        other.state_dict()["state"][0]["exp_avg"], optimizer.state_dict()["state"][0]["exp_avg"]
    )


def test_what_is_not_plain_is_named(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"state\.a\.b\[1\] is a Path|state\.a\.b\[1\] is a PosixPath"):
        checkpoint.save(tmp_path / "x.pt", {"a": {"b": [1, tmp_path]}})
    assert list(tmp_path.iterdir()) == []


def test_a_failure_while_writing_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "last.pt"
    checkpoint.save(path, {"step": 1})

    def fail(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="No space"):
        checkpoint.save(path, {"step": 2})
    monkeypatch.undo()
    assert checkpoint.load(path) == {"step": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["last.pt"]


def test_a_damaged_file_does_not_replace_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "last.pt"
    checkpoint.save(path, {"w": torch.ones(1000)})
    write = torch.save

    def damaging(content: object, target: object, *args: object) -> None:
        write(content, target, *args)
        where = Path(target if isinstance(target, (str, Path)) else target.name)  # type: ignore[attr-defined]
        if hasattr(target, "flush"):
            target.flush()
        data = bytearray(where.read_bytes())
        data[len(data) // 2] ^= 0xFF
        where.write_bytes(data)

    monkeypatch.setattr(torch, "save", damaging)
    with pytest.raises(OSError, match="read back"):
        checkpoint.save(path, {"w": torch.zeros(1000)})
    assert torch.equal(checkpoint.load(path)["w"], torch.ones(1000))


def test_a_file_cannot_run_code(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {tmp_path}/ran",)

    torch.save({"x": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(ConfigError, match=r"evil\.pt"):
        checkpoint.load(tmp_path / "evil.pt")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04torn"])
def test_a_torn_file_is_a_sentence(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "torn.pt").write_bytes(content)
    with pytest.raises(ConfigError, match=r"torn\.pt"):
        checkpoint.load(tmp_path / "torn.pt")


def linear(*widths: int, bias: bool = True) -> torch.nn.Module:
    return torch.nn.Sequential(*(torch.nn.Linear(width, width, bias=bias) for width in widths))


@pytest.mark.parametrize(
    ("saved", "now", "words"),
    [
        (linear(2), linear(*[2] * 4), "(missing: 1.weight, 1.bias, 2.weight and 3 more)"),
        (linear(2, 2), linear(2, 2, bias=False), "(unexpected: 0.bias, 1.bias)"),
        (linear(2, 3), linear(2, 4), "(of another shape: 1.weight, 1.bias)"),
    ],
)
def test_what_does_not_fit_is_said_in_few_names(
    saved: torch.nn.Module, now: torch.nn.Module, words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        checkpoint.load_tracked({"net": now}, {"net": saved.state_dict()})
    assert str(caught.value).startswith("the checkpoint's net does not fit this configuration")
    assert str(caught.value).endswith(words)
