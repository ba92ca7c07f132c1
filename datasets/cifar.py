"""CIFAR-10 and CIFAR-100: the official binary archives, which hold no pickle."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np

from datasets import sources
from datasets.blocks import ArrayBlock
from datasets.build import build, official
from datasets.config import HeldOutConfig
from datasets.download import obtain
from datasets.files import damaged
from datasets.parts import hold_out
from datasets.types import Access, Images, RemoteFile

PIXELS = 3 * 32 * 32


def cifar10(config: HeldOutConfig, access: Access, kind: str) -> Images:
    """Natural images in 10 classes, `[3, 32, 32]`, 50000 + 10000 (Krizhevsky, 2009)."""
    train = tuple(f"cifar-10-batches-bin/data_batch_{number}.bin" for number in range(1, 6))
    test = ("cifar-10-batches-bin/test_batch.bin",)
    return _load(
        "cifar10",
        sources.cifar10(config),
        (train, test),
        "cifar-10-batches-bin/batches.meta.txt",
        config,
        access,
    )


def cifar100(config: HeldOutConfig, access: Access, kind: str) -> Images:
    """Natural images in 100 fine classes, `[3, 32, 32]`, 50000 + 10000 (Krizhevsky, 2009)."""
    members = (("cifar-100-binary/train.bin",), ("cifar-100-binary/test.bin",))
    return _load(
        "cifar100", sources.cifar100(config), members, "cifar-100-binary/fine_label_names.txt", config, access
    )


def _load(
    name: str,
    files: list[RemoteFile],
    members: tuple[tuple[str, ...], tuple[str, ...]],
    names: str,
    config: HeldOutConfig,
    access: Access,
) -> Images:
    path = obtain(name, files[0], access)
    contents = read_members(path, {*members[0], *members[1], names})
    classes = contents[names].decode().split()
    train, test = (
        _block(path, [contents[member] for member in part], len(classes), config) for part in members
    )
    trained, held = hold_out(len(train.labels), config.validation, name)
    parts = {
        "train": (train, trained),
        "validation": (train, held),
        "test": (test, np.arange(len(test.labels))),
    }
    return build(name, config, access, parts, classes, official(files))


def read_members(path: Path, names: set[str]) -> dict[str, bytes]:
    """The bytes of these members of a `.tar.gz`, read in memory; raises `DataError` if one is not there."""
    found: dict[str, bytes] = {}
    with damaged(path), tarfile.open(path, "r:gz") as archive:
        for member in archive:
            stream = archive.extractfile(member) if member.name in names else None
            if stream:
                found[member.name] = stream.read()
        if lacking := sorted(names - found.keys()):
            raise ValueError(f"it lacks {', '.join(lacking)}")
    return found


def _block(path: Path, batches: list[bytes], classes: int, config: HeldOutConfig) -> ArrayBlock:
    # A record is a label, or a coarse and a fine label, then the red, green and blue planes.
    record = PIXELS + (2 if classes == 100 else 1)
    with damaged(path):
        rows = np.concatenate([np.frombuffer(batch, np.uint8).reshape(-1, record) for batch in batches])
        labels = rows[:, -PIXELS - 1]
        if labels.max() >= classes:
            raise ValueError(f"it has label {labels.max()}, but {classes} classes")
    return ArrayBlock(rows[:, -PIXELS:].reshape(-1, 3, 32, 32), labels, config.size, config.levels)
