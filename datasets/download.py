"""Fetching of official files: the mirror first, then the official address; checked, locked and atomic."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import quote, unquote, urlsplit

from datasets.files import CHUNK, atomic, check, find, folders, locked, problem, writing
from datasets.types import Access, DataError, RemoteFile

TIMEOUT = 30.0
"""Seconds without an answer after which an address is given up."""


class Refused(Exception):
    """An address that did not give the right bytes, and why."""


def obtain(name: str, file: RemoteFile, access: Access) -> Path:
    """Path of the official `file` of the set `name`, fetched if need be and checked by its checksum.

    Raises `DataError`, which names the file, its address, its checksum and where to put it.
    """
    path = find(name, file, access) or _fetch_locked(name, file, access)
    check(path, file, access)
    return path


def missing(name: str, file: RemoteFile, access: Access, reason: str) -> str:
    """The sentence about a file that is not there."""
    size = f", {file.bytes / 1e6:,.1f} MB" if file.bytes else ""
    source = " and ".join(place for place in (file.url, file.page) if place)
    return (
        f"{name} lacks {file.name} ({reason}): get it from {source} ({file.checksum or 'no checksum'}{size}) "
        f"and put it into {folders(name, access)[0]}, or give the folder or address of a copy as data.mirror"
    )


def _fetch_locked(name: str, file: RemoteFile, access: Access) -> Path:
    if not access.download:
        raise DataError(missing(name, file, access, "data.download=false forbids fetching it"))
    if not (addresses := _addresses(name, file, access)):
        raise DataError(missing(name, file, access, "it must be fetched by hand"))
    target = access.cache / name / file.name
    with writing(target), locked(target):
        # Another process may have fetched it while this one waited.
        return find(name, file, access) or _fetch(name, file, access, addresses, target)


def _fetch(name: str, file: RemoteFile, access: Access, addresses: list[str | Path], target: Path) -> Path:
    reasons = []
    for address in addresses:
        try:
            with atomic(target) as temporary:
                _copy(address, temporary, file)
            return target
        except Refused as refused:
            reasons.append(f"{_place(address)}: {refused}")
    raise DataError(missing(name, file, access, "; ".join(reasons)))


def _copy(address: str | Path, target: Path, file: RemoteFile) -> None:
    from tqdm import tqdm

    most = 2 * file.bytes if file.bytes else None
    with (
        target.open("wb") as out,
        tqdm(total=file.bytes, desc=file.name, unit="B", unit_scale=True, disable=None) as bar,
    ):
        for chunk in _chunks(address):
            out.write(chunk)
            bar.update(len(chunk))
            if most and out.tell() > most:
                raise Refused(f"sends more than {most} bytes")
    if wrong := problem(target, file):
        raise Refused(wrong)


def _chunks(address: str | Path) -> Iterator[bytes]:
    """What lies at an address, piece by piece; raises `Refused` when it cannot be read."""
    try:
        if isinstance(address, Path):
            stream = address.open("rb")
        else:
            request = urllib.request.Request(address, headers={"User-Agent": "reclaim"})
            stream = urllib.request.urlopen(request, timeout=TIMEOUT)
        with stream:
            while chunk := stream.read(CHUNK):
                yield chunk
    except HTTPError as error:
        raise Refused(f"HTTP {error.code}") from error
    except URLError as error:
        raise Refused(f"no connection, {_reason(error.reason)}") from error
    except (OSError, HTTPException) as error:
        raise Refused(_reason(error)) from error


def _reason(error: BaseException | str) -> str:
    text = (getattr(error, "strerror", None) or str(error)) if isinstance(error, BaseException) else error
    return " ".join(str(text).split()) or type(error).__name__


def _place(address: str | Path) -> str:
    return str(address) if isinstance(address, Path) else urlsplit(address).netloc


def _addresses(name: str, file: RemoteFile, access: Access) -> list[str | Path]:
    """The mirror's copies (`<mirror>/<set>/<file>`, `<mirror>/<file>`), then the official address."""
    official: list[str | Path] = [file.url] if file.url else []
    if access.mirror is None:
        return official
    parts = urlsplit(access.mirror)
    if parts.scheme in ("http", "https"):
        base = access.mirror.rstrip("/")
        return [f"{base}/{quote(name)}/{quote(file.name)}", f"{base}/{quote(file.name)}", *official]
    if len(parts.scheme) > 1 and parts.scheme != "file" and "://" in access.mirror:
        raise DataError(f"data.mirror={access.mirror} is neither an http(s) or file address nor a folder")
    folder = Path(unquote(parts.path)) if parts.scheme == "file" else Path(access.mirror).expanduser()
    return [folder / name / file.name, folder / file.name, *official]
