"""What a run left, as plain values that can be compared: everything but times and where it lies."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

NO_RESULT = (".lock", "run.log", "config.yaml", "overrides.yaml", "result.json", "progress.json")
"""Files that name places and times, beside the event file."""


def snapshot(home: Path, cache: Path) -> dict[str, Any]:
    """All that a run left in its folder and in the cache, by name."""
    found = {f"run/{p.relative_to(home)}": content(p) for p in _files(home)}
    found |= {f"cache/{p.relative_to(cache)}": content(p) for p in _files(cache)}
    result = json.loads((home / "result.json").read_text())
    found["result"] = {name: result[name] for name in ("status", "metrics", "steps", "parameters", "error")}
    return found | {f"scalar {tag}": values for tag, values in scalars(home).items()}


def _files(folder: Path) -> list[Path]:
    files = [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []
    return [p for p in files if p.name not in NO_RESULT and p.suffix != ".lock" and "tfevents" not in p.name]


def content(path: Path) -> Any:
    """A file's bytes, or the tensors and scalars in it."""
    if path.suffix == ".pt":
        return plain(torch.load(path, "cpu", weights_only=True))
    data = path.read_bytes()
    return data if len(data) < 100_000 else hashlib.sha256(data).hexdigest()


def plain(value: Any) -> Any:
    """Saved state with tensors as type, shape and bytes; without times and places in the event file."""
    if isinstance(value, torch.Tensor):
        return str(value.dtype), tuple(value.shape), value.reshape(-1).view(torch.uint8).numpy().tobytes()
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items() if name not in ("seconds", "events")}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def scalars(home: Path) -> dict[str, list[tuple[int, float]]]:
    """TensorBoard's scalars by tag, each as steps and values in the order of writing; times are left out."""
    events = EventAccumulator(str(home), size_guidance={"scalars": 0}, purge_orphaned_data=False)
    events.Reload()
    tags = [tag for tag in events.Tags()["scalars"] if "time/" not in tag]
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in tags}


def differences(a: dict[str, Any], b: dict[str, Any]) -> list[str]:
    """Names of what differs between two snapshots, down to the tensor."""
    return sorted(set(_differences(a, b, "")))


def _differences(a: Any, b: Any, path: str) -> list[str]:
    if isinstance(a, dict) and isinstance(b, dict):
        missing = [f"{path}/{name} on one side only" for name in a.keys() ^ b.keys()]
        both = a.keys() & b.keys()
        return missing + [
            found for name in both for found in _differences(a[name], b[name], f"{path}/{name}")
        ]
    same = a == b or (a != a and b != b)
    return [] if same else [path]


def the_run(outputs: Path) -> Path:
    """The one run's folder below `outputs`."""
    (home,) = [path.parent for path in outputs.glob("*/*/config.yaml")]
    return home
