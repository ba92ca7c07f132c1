"""Lists of files in folders, zips and tarballs, read by number and never unpacked onto the disk.

All can be pickled and forked: what is open belongs to one process and is opened again in another.
"""

from __future__ import annotations

import os
import tarfile
import zipfile
import zlib
from abc import ABC, abstractmethod
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from datasets.files import CHUNK, atomic, damaged, writing
from datasets.types import DataError

MOST = 1 << 28
"""Bytes that one file of an archive may have; no picture has more, a zip bomb does."""


class FileList(ABC):
    """Named files that are read by number."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def __len__(self) -> int:
        """Number of files."""

    @abstractmethod
    def name(self, number: int) -> str:
        """Name of a file below `path`, with `/` between its parts."""

    @abstractmethod
    def read(self, number: int) -> bytes:
        """Bytes of a file; raises `DataError` if they cannot be read."""

    def label(self, number: int) -> str:
        """What an error message calls a file."""
        return f"{self.path}/{self.name(number)}"


class OneFile(FileList):
    """Files inside one file, whose handle belongs to one process and is opened again in another."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._open: tuple[int, Any] | None = None

    def opened(self) -> Any:
        """The handle of this process."""
        if self._open is None or self._open[0] != os.getpid():
            self._open = (os.getpid(), self._reopen())
        return self._open[1]

    @abstractmethod
    def _reopen(self) -> Any:
        """A new handle for this process."""

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": None}


class FolderFiles(FileList):
    """The files below a folder, links to folders followed once."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.names = sorted(_walk(path))

    def __len__(self) -> int:
        return len(self.names)

    def name(self, number: int) -> str:
        return self.names[number]

    def _file(self, number: int) -> Path:
        path = self.path / self.names[number]
        if not path.is_file():  # a link that leads nowhere, or a pipe, at which reading would wait
            raise DataError(f"{path} is no file that can be read")
        return path

    def read(self, number: int) -> bytes:
        with damaged(self.label(number)):
            return self._file(number).read_bytes()

    def state(self, number: int) -> list[str | int]:
        """What changes when a file is written again: its name, size and time."""
        stat = self._file(number).stat()
        return [self.names[number], stat.st_size, stat.st_mtime_ns]

    def identity(self, number: int) -> tuple[int, int]:
        """CRC-32 and size of a file: the same as of a zip's member with these bytes."""
        crc = size = 0
        with damaged(self.label(number)), self._file(number).open("rb") as stream:
            while chunk := stream.read(CHUNK):
                crc, size = zlib.crc32(chunk, crc), size + len(chunk)
        return crc, size


def _walk(path: Path) -> list[str]:
    names: list[str] = []
    seen: set[str] = set()
    for folder, below, files in os.walk(path, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            below.clear()
            continue
        seen.add(real)
        names += [(Path(folder) / file).relative_to(path).as_posix() for file in files]
    return names


class ZipFiles(OneFile):
    """The members of a zip file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with damaged(path), zipfile.ZipFile(path) as archive:
            members = sorted((m for m in archive.infolist() if not m.is_dir()), key=lambda m: m.filename)
        self.members = [_safe(member, path) for member in members]

    def __len__(self) -> int:
        return len(self.members)

    def name(self, number: int) -> str:
        return self.members[number].filename

    def _reopen(self) -> zipfile.ZipFile:
        with damaged(self.path):
            return zipfile.ZipFile(self.path)

    def read(self, number: int) -> bytes:
        member = self.members[number]
        if member.file_size > MOST:
            raise DataError(
                f"{self.label(number)} would unpack to {member.file_size} bytes, more than {MOST}"
            )
        with damaged(self.label(number)):
            return bytes(self.opened().read(member))

    def state(self, number: int) -> list[str | int]:
        """What changes when a member is written again: its name, CRC-32 and size."""
        return [self.name(number), *self.identity(number)]

    def identity(self, number: int) -> tuple[int, int]:
        """CRC-32 and size of a member."""
        member = self.members[number]
        return member.CRC, member.file_size


def _safe(member: zipfile.ZipInfo, path: Path) -> zipfile.ZipInfo:
    name = PurePosixPath(member.filename)
    if name.is_absolute() or ".." in name.parts:
        raise DataError(f"{path} holds a file outside of its own folder: {member.filename}")
    if member.flag_bits & 1:
        raise DataError(f"{path} is encrypted")
    return member


class TarFiles(OneFile):
    """The regular members of an uncompressed tarball, found once and then read by their position.

    The index of a tarball with a million members takes a minute, so it is kept at `index` (an `.npz`).
    """

    def __init__(self, path: Path, index: Path) -> None:
        super().__init__(path)
        if not index.is_file():
            with writing(index), atomic(index) as temporary:
                names, offsets, sizes = _tar_index(path)
                np.savez(temporary, names=names, offsets=offsets, sizes=sizes)
        with damaged(index), np.load(index, allow_pickle=False) as arrays:
            self.names, self.offsets, self.sizes = arrays["names"], arrays["offsets"], arrays["sizes"]

    def __len__(self) -> int:
        return len(self.names)

    def name(self, number: int) -> str:
        return bytes(self.names[number]).decode("utf-8", "replace")

    def _reopen(self) -> Any:
        with damaged(self.path):
            return self.path.open("rb")

    def read(self, number: int) -> bytes:
        size, offset = int(self.sizes[number]), int(self.offsets[number])
        if size > MOST:
            raise DataError(f"{self.label(number)} has {size} bytes, more than {MOST}")
        with damaged(self.label(number)):
            data = os.pread(self.opened().fileno(), size, offset)
        if len(data) != size:
            raise DataError(f"{self.path} is truncated: it ends within {self.name(number)}")
        return data


def _tar_index(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Names (bytes), offsets and sizes of the regular files, sorted by name."""
    rows: list[tuple[bytes, int, int]] = []
    with damaged(path), tarfile.open(path, "r:") as archive:
        while member := archive.next():
            if member.isreg() and not member.issparse():
                rows.append((member.name.encode(), member.offset_data, member.size))
            archive.members.clear()  # type: ignore[attr-defined]  # or a million members stay alive
    if not rows:
        raise DataError(f"{path} holds no files")
    names, offsets, sizes = zip(*sorted(rows), strict=True)
    return np.array(names), np.array(offsets, np.int64), np.array(sizes, np.int64)
