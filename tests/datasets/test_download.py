"""Where official files are found, fetched from and put; what a person is told when that fails."""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import hashlib
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from datasets import download, fetch, files, sources
from datasets.config import HeldOutConfig
from datasets.download import obtain
from datasets.types import Access, DataError, DatasetEntry, RemoteFile

BODY = b"the official bytes " * 1000


def remote(url: str | None = None, **changes: Any) -> RemoteFile:
    file = RemoteFile(
        "data.bin", url, "md5:" + hashlib.md5(BODY).hexdigest(), len(BODY), page="http://its.page/"
    )
    return dataclasses.replace(file, **changes)


@pytest.fixture
def online(access: Access) -> Access:
    return dataclasses.replace(access, download=True)


def test_the_readers_own_folder_comes_first_and_stays_untouched(access: Access) -> None:
    for place in (access.root, access.cache):
        (place / "set").mkdir(parents=True)
        (place / "set" / "data.bin").write_bytes(BODY)
    assert obtain("set", remote(), access) == access.root / "set" / "data.bin"
    assert [path.name for path in access.root.rglob("*")] == ["set", "data.bin"]


def test_wrong_bytes_are_told_apart_from_a_missing_file(access: Access) -> None:
    (access.root / "set").mkdir()
    path = access.root / "set" / "data.bin"
    path.write_bytes(BODY[:-1])
    with pytest.raises(DataError) as error:
        obtain("set", remote(), access)
    wrong = "md5:" + hashlib.md5(BODY[:-1]).hexdigest()
    assert all(part in str(error.value) for part in (str(path), wrong, str(remote().checksum)))
    path.write_bytes(BODY)
    assert obtain("set", remote(), access) == path


def test_a_file_is_hashed_once_until_it_is_written_again(
    access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[Path] = []
    honest = files.file_digest
    monkeypatch.setattr(files, "file_digest", lambda path, kind: hashed.append(path) or honest(path, kind))
    (access.root / "set").mkdir()
    path = access.root / "set" / "data.bin"
    path.write_bytes(BODY)
    for _ in range(3):
        obtain("set", remote(), access)
    assert len(hashed) == 1
    path.write_bytes(BODY[::-1])
    with pytest.raises(DataError, match="not the official file"):
        obtain("set", remote(), access)
    assert len(hashed) == 2


@pytest.mark.parametrize("layout", ["images.gz", "raw/images.gz", "raw/images", "images"])
def test_idx_files_are_known_packed_unpacked_and_packed_anew(access: Access, layout: str) -> None:
    path = access.root / "set" / layout
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress(BODY, 1) if layout.endswith("gz") else BODY)
    content = "md5:" + hashlib.md5(BODY).hexdigest()
    file = RemoteFile("images.gz", None, "md5:" + "0" * 32, content=content, places=("raw",))
    assert obtain("set", file, access) == path
    path.write_bytes(gzip.compress(b"other") if layout.endswith("gz") else b"other")
    with pytest.raises(DataError, match="its content has"):
        obtain("set", file, access)


def test_a_truncated_gzip_is_a_sentence(access: Access) -> None:
    path = access.root / "set" / "images.gz"
    path.parent.mkdir()
    path.write_bytes(gzip.compress(BODY)[:-10])
    with pytest.raises(DataError, match=r"images\.gz is damaged"):
        obtain("set", RemoteFile("images.gz", None, "md5:" + "0" * 32, content="md5:" + "1" * 32), access)


def test_download_is_checked_and_put_into_the_cache(online: Access, server: Any) -> None:
    server.files["/data.bin"] = BODY
    file = remote(f"{server.address}/data.bin")
    path = obtain("set", file, online)
    assert path == online.cache / "set" / "data.bin"
    assert path.read_bytes() == BODY
    assert obtain("set", file, online) == path
    assert server.asked == ["/data.bin"]
    assert sorted(file.name for file in path.parent.iterdir()) == [".data.bin.lock", "data.bin"]
    assert not list(online.root.iterdir())


@pytest.mark.parametrize("place", ["/set/data.bin", "/data.bin"])
def test_the_mirror_is_asked_before_the_official_address(online: Access, server: Any, place: str) -> None:
    server.files["/mirror" + place] = BODY
    server.files["/official"] = BODY
    mirrored = dataclasses.replace(online, mirror=f"{server.address}/mirror/")
    assert obtain("set", remote(f"{server.address}/official"), mirrored).read_bytes() == BODY
    assert "/official" not in server.asked
    assert server.asked[-1] == "/mirror" + place


def test_a_mirror_with_wrong_bytes_is_passed_over(online: Access, server: Any) -> None:
    server.files |= {"/mirror/set/data.bin": b"evil", "/official": BODY}
    mirrored = dataclasses.replace(online, mirror=f"{server.address}/mirror")
    assert obtain("set", remote(f"{server.address}/official"), mirrored).read_bytes() == BODY


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_a_folder_can_be_the_mirror(online: Access, tmp_path: Path, form: str) -> None:
    folder = tmp_path / "my copies"
    folder.mkdir()
    (folder / "data.bin").write_bytes(BODY)
    mirrored = dataclasses.replace(online, mirror=form.format(folder))
    assert obtain("set", remote(), mirrored) == online.cache / "set" / "data.bin"


def test_other_kinds_of_mirrors_are_refused(online: Access) -> None:
    with pytest.raises(DataError, match=r"data\.mirror=s3://bucket"):
        obtain("set", remote(), dataclasses.replace(online, mirror="s3://bucket"))


def refused(file: RemoteFile, access: Access) -> str:
    with pytest.raises(DataError) as error:
        obtain("set", file, access)
    message = str(error.value)
    assert "\n" not in message
    assert not list(access.cache.rglob("*data.bin"))
    return message


def told(message: str, file: RemoteFile, access: Access) -> bool:
    parts = ["set", file.name, str(file.checksum), str(access.root / "set"), "data.mirror", str(file.url)]
    return all(part in message for part in parts)


def test_without_a_network_one_line_says_everything(online: Access, server: Any) -> None:
    file = remote("http://127.0.0.1:9/data.bin")  # nothing listens on the discard port
    message = refused(file, online)
    assert told(message, file, online)
    assert "no connection" in message


def test_without_permission_nothing_is_asked(access: Access, server: Any) -> None:
    file = remote(f"{server.address}/data.bin")
    message = refused(file, access)
    assert told(message, file, access)
    assert "data.download=false" in message
    assert server.asked == []


def test_files_without_an_address_name_their_page(online: Access) -> None:
    message = refused(remote(None), online)
    assert "by hand" in message
    assert "http://its.page/" in message
    assert "None" not in message


def test_what_goes_wrong_on_the_way_is_said_and_leaves_nothing(online: Access, server: Any) -> None:
    server.files |= {"/wrong": b"x" * len(BODY), "/cut": BODY[:100], "/endless": BODY * 3}
    server.promised["/cut"] = len(BODY)
    for path, reason in (("/gone", "HTTP 404"), ("/wrong", "instead of md5:"), ("/endless", "more than")):
        assert reason in refused(remote(f"{server.address}{path}"), online)
    refused(remote(f"{server.address}/cut"), online)


def test_a_failed_write_keeps_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "kept"
    target.write_bytes(b"old")
    with contextlib.suppress(RuntimeError), files.atomic(target) as temporary:
        temporary.write_bytes(b"half")
        raise RuntimeError
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.glob("*kept*")] == ["kept"]


def test_a_cache_that_cannot_be_written_is_a_sentence(online: Access, server: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    server.files["/data.bin"] = BODY
    blocked = dataclasses.replace(online, cache=tmp_path / "file")
    with pytest.raises(DataError, match=r"cannot write .*data\.cache"):
        obtain("set", remote(f"{server.address}/data.bin"), blocked)


def test_two_that_need_a_file_fetch_it_once(online: Access, server: Any) -> None:
    server.files["/data.bin"] = BODY
    file = remote(f"{server.address}/data.bin")
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(obtain("set", file, online))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert server.asked == ["/data.bin"]


def test_the_time_without_an_answer_is_limited() -> None:
    assert 5 <= download.TIMEOUT <= 60


def entry(name: str = "set") -> DatasetEntry:
    return DatasetEntry(name, "", HeldOutConfig, "", ("images",), "datasets.sources:mnist")


def test_fetch_fetches_all_files_even_if_runs_may_not(
    access: Access, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files["/data.bin"] = BODY
    wanted = [remote(f"{server.address}/data.bin"), remote(f"{server.address}/data.bin", name="other.bin")]
    monkeypatch.setattr(sources, "mnist", lambda config: wanted)
    paths = fetch.fetch(entry(), None, access)
    assert [path.name for path in paths] == ["data.bin", "other.bin"]
    assert all(path.read_bytes() == BODY for path in paths)


def test_verify_reads_anew_and_tells_each_file(access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("good.bin", "bad.bin", "away.bin", "open.bin")
    wanted = [remote("http://x/", name=name) for name in names]
    wanted[3] = dataclasses.replace(wanted[3], checksum=None)
    monkeypatch.setattr(sources, "mnist", lambda config: wanted)
    folder = access.root / "set"
    folder.mkdir()
    for name in ("good.bin", "bad.bin", "open.bin"):
        (folder / name).write_bytes(BODY)
    obtain("set", wanted[1], access)  # so that a stamp says that it is right
    stat = (folder / "bad.bin").stat()
    (folder / "bad.bin").write_bytes(BODY[::-1])
    os.utime(folder / "bad.bin", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    statuses = dict(fetch.verify(entry(), None, access))
    assert statuses["good.bin"] == "ok"
    assert statuses["bad.bin"].startswith("wrong")
    assert statuses["away.bin"].startswith("missing")
    assert statuses["open.bin"].startswith("unknown")


def test_sets_that_fetch_nothing_have_nothing_to_verify(access: Access) -> None:
    embedded = dataclasses.replace(entry(), files=None)
    assert fetch.fetch(embedded, None, access) == []
    assert fetch.verify(embedded, None, access) == []
