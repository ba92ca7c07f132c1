"""Official files on disk: where they may lie, and whether they are the right ones."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from datasets.types import Access, DataError, RemoteFile

CHUNK = 1 << 20
UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


def digest(stream: BinaryIO, algorithm: str) -> str:
    """`"<algorithm>:<hexadecimal>"` of what is left in `stream`."""
    state = hashlib.new(algorithm, usedforsecurity=False)
    while chunk := stream.read(CHUNK):
        state.update(chunk)
    return f"{algorithm}:{state.hexdigest()}"


def file_digest(path: Path, algorithm: str) -> str:
    """Checksum of a file's bytes."""
    with path.open("rb") as stream:
        return digest(stream, algorithm)


def content_digest(path: Path, algorithm: str) -> str:
    """Checksum of what a `.gz` holds, and of the bytes of any other file."""
    if path.suffix != ".gz":
        return file_digest(path, algorithm)
    with damaged(path), gzip.open(path) as stream:
        return digest(stream, algorithm)  # type: ignore[arg-type]


@contextlib.contextmanager
def damaged(path: Path | str) -> Iterator[None]:
    """Turns the many errors of readers of broken files into one `DataError` that names the file."""
    from struct import error as struct_error
    from tarfile import TarError
    from zipfile import BadZipFile

    try:
        yield
    except (FileNotFoundError, PermissionError) as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except (OSError, EOFError, ValueError, TypeError, KeyError, IndexError, NotImplementedError) as error:
        if isinstance(error, OSError) and error.errno in UNWRITABLE:
            raise
        raise DataError(f"{path} is damaged or of another format: {_one_line(error)}") from error
    except (SyntaxError, TarError, BadZipFile, zlib.error, struct_error) as error:
        raise DataError(f"{path} is damaged or of another format: {_one_line(error)}") from error


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns what goes wrong when `path` is written into one `DataError`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"cannot write {path}: {reason}; data.cache=FOLDER names another place") from error


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text or type(error).__name__


def folders(name: str, access: Access) -> list[Path]:
    """Folders that may hold the set's files: the reader's own first, then the cache."""
    return ([access.root / name] if access.root else []) + [access.cache / name]


def find(name: str, file: RemoteFile, access: Access) -> Path | None:
    """Where `file` of the set `name` lies, packed or unpacked; None if nowhere.

    Other programs' layouts, which have a folder of their own, are found in `data.root` itself too.
    """
    homes = [folder / place for folder in folders(name, access) for place in ("", *file.places)]
    if access.root:
        homes = [access.root / name, *(access.root / place for place in file.places), *homes]
    spellings = [file.unpacked] if file.unpacked else []
    spellings += [file.name] + ([file.name.removesuffix(".gz")] if file.content else [])
    paths = (home / spelling for home in homes for spelling in spellings)
    return next((path for path in paths if path.is_file()), None)


def accepted(file: RemoteFile) -> list[str]:
    """Checksums of the file itself that are right."""
    return [sum_ for sum_ in (file.checksum, *file.also) if sum_]


def is_unpacked(path: Path, file: RemoteFile) -> bool:
    """Whether `path` is what the archive held, for which nothing is published."""
    return file.unpacked is not None and path.name == Path(file.unpacked).name


def problem(path: Path, file: RemoteFile) -> str | None:
    """What is wrong with the bytes at `path`, as half a sentence; None if right or nothing is published."""
    if is_unpacked(path, file):
        return None
    found = ""
    for expected in accepted(file) if path.name.endswith(file.name) else []:
        found = file_digest(path, expected.partition(":")[0])
        if found == expected:
            return None
    if file.content:
        found = content_digest(path, file.content.partition(":")[0])
        return None if found == file.content else f"its content has {found} instead of {file.content}"
    return f"it has {found} instead of {file.checksum}" if found else None


def check(path: Path, file: RemoteFile, access: Access) -> None:
    """Raises `DataError` if `path` is not the official file; remembers by size and time that it is."""

    def judged() -> str:
        if wrong := problem(path, file):
            raise DataError(f"{path} is not the official file: {wrong}; replace or remove it")
        return "right"

    remembered(path, [*accepted(file), file.content, *_state(path)], judged, access)


def own_digest(path: Path, access: Access) -> str:
    """sha256 of a file for which none is published, remembered by size and time."""
    return remembered(path, _state(path), lambda: file_digest(path, "sha256"), access)


def remembered(path: Path, state: list[Any], compute: Callable[[], str], access: Access) -> str:
    """`compute()`, or what it came to when `path` was last seen in this `state` (made of JSON values)."""
    key = hashlib.sha256(json.dumps([str(path.resolve()), state]).encode()).hexdigest()[:32]
    stamp = access.cache / "checksums" / f"{key}.json"
    if (known := _read(stamp)) is not None:
        return known
    result = compute()
    # Only time is lost where the cache cannot be written, so that is not an error here.
    with contextlib.suppress(OSError), atomic(stamp) as temporary:
        temporary.write_text(json.dumps({"path": str(path), "result": result}))
    return result


def _state(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]


def _read(stamp: Path) -> str | None:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads(stamp.read_text())["result"])
    return None


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the lock of `path`, which is a file beside it; waits while another process or thread has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`: takes its name when the block ends well, vanishes when it does not.

    It ends as `path` does, because checksums and `numpy.save` look at the suffix.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
