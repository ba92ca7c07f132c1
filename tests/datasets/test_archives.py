"""Folders, zips and tarballs: what is read equals what was written, and nothing is written outside."""

from __future__ import annotations

import io
import multiprocessing
import os
import pickle
import random
import tarfile
import zipfile
from pathlib import Path

import pytest

from datasets import archives
from datasets.archives import FileList, FolderFiles, TarFiles, ZipFiles
from datasets.types import DataError

NOISE = random.Random(0).randbytes(200_000)
"""More than a file's buffer, so that a handle shared by two processes would be noticed."""

CONTENT = {"b/two.bin": b"22" * 50, "a/one.bin": b"1", "c.bin": NOISE}


def folder_of(path: Path) -> FolderFiles:
    for name, data in CONTENT.items():
        (path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (path / "folder" / name).write_bytes(data)
    return FolderFiles(path / "folder")


def zip_of(path: Path) -> ZipFiles:
    with zipfile.ZipFile(path / "files.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("a")
        for name, data in CONTENT.items():
            archive.writestr(name, data)
    return ZipFiles(path / "files.zip")


def tar_of(path: Path) -> TarFiles:
    with tarfile.open(path / "files.tar", "w") as archive:
        for name, data in CONTENT.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        link = tarfile.TarInfo("link.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        folder = tarfile.TarInfo("a")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
    return TarFiles(path / "files.tar", path / "index.npz")


MAKERS = {"folder": folder_of, "zip": zip_of, "tar": tar_of}


@pytest.fixture(params=MAKERS)
def listed(request: pytest.FixtureRequest, tmp_path: Path) -> FileList:
    files: FileList = MAKERS[request.param](tmp_path)
    return files


def contents(files: FileList) -> dict[str, bytes]:
    return {files.name(number): files.read(number) for number in range(len(files))}


def test_names_are_sorted_and_bytes_are_those_that_were_written(listed: FileList) -> None:
    assert contents(listed) == CONTENT
    assert [listed.name(number) for number in range(len(listed))] == sorted(CONTENT)
    assert listed.label(0).endswith("/a/one.bin")


def test_lists_can_be_pickled_while_open(listed: FileList) -> None:
    listed.read(0)
    assert contents(pickle.loads(pickle.dumps(listed))) == CONTENT


def _read_in_child(files: FileList, out: multiprocessing.SimpleQueue[bool]) -> None:
    try:
        out.put(all(contents(files) == CONTENT for _ in range(60)))
    except BaseException:  # or the parent would wait for ever
        out.put(False)


def test_lists_can_be_read_on_both_sides_of_a_fork_at_once(listed: FileList) -> None:
    listed.read(0)
    context = multiprocessing.get_context("fork")
    out = context.SimpleQueue()
    children = [context.Process(target=_read_in_child, args=(listed, out)) for _ in range(2)]
    for child in children:
        child.start()
    for _ in range(60):
        assert contents(listed) == CONTENT
    assert [out.get() for _ in children] == [True, True]
    for child in children:
        child.join()


def test_a_folder_and_a_zip_of_it_have_the_same_identities(tmp_path: Path) -> None:
    folder, packed = folder_of(tmp_path), zip_of(tmp_path)
    assert [folder.identity(n) for n in range(3)] == [packed.identity(n) for n in range(3)]
    assert len({folder.identity(n) for n in range(3)}) == 3


def test_linked_folders_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    folder_of(tmp_path)
    (tmp_path / "view").mkdir()
    (tmp_path / "view" / "all").symlink_to(tmp_path / "folder")
    (tmp_path / "folder" / "back").symlink_to(tmp_path / "view")
    files = FolderFiles(tmp_path / "view")
    assert {f"all/{name}" for name in CONTENT} == {files.name(n) for n in range(len(files))}


@pytest.mark.parametrize("name", ["../evil.png", "/evil.png", "a/../../evil.png"])
def test_a_zip_that_reaches_outside_is_refused(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr(name, b"x")
    with pytest.raises(DataError, match="outside"):
        ZipFiles(tmp_path / "evil.zip")
    assert os.listdir(tmp_path) == ["evil.zip"]


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.png", bytes(1 << 20))
    monkeypatch.setattr(archives, "MOST", 1 << 19)
    with pytest.raises(DataError, match=r"bomb\.png would unpack to 1048576"):
        ZipFiles(tmp_path / "bomb.zip").read(0)


def test_a_zip_whose_bytes_were_changed_is_noticed(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("one.png", b"abcdefgh")
    data = (tmp_path / "x.zip").read_bytes()
    (tmp_path / "x.zip").write_bytes(data.replace(b"abcdefgh", b"abcdefgX"))
    with pytest.raises(DataError, match=r"x\.zip/one\.png is damaged"):
        ZipFiles(tmp_path / "x.zip").read(0)
    (tmp_path / "x.zip").write_bytes(data[:-30])
    with pytest.raises(DataError, match=r"x\.zip is damaged"):
        ZipFiles(tmp_path / "x.zip")


def test_the_index_of_a_tarball_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tar_of(tmp_path)
    monkeypatch.setattr(archives, "_tar_index", lambda path: pytest.fail("listed again"))
    assert contents(TarFiles(tmp_path / "files.tar", tmp_path / "index.npz")) == CONTENT


def test_a_truncated_tarball_is_a_sentence(tmp_path: Path) -> None:
    files = tar_of(tmp_path)
    path = tmp_path / "files.tar"
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(DataError, match="truncated"):
        contents(files)
    with pytest.raises(DataError, match=r"files\.tar is damaged"):
        TarFiles(path, tmp_path / "other.npz")
    path.write_bytes(b"")
    with pytest.raises(DataError, match=r"files\.tar"):
        TarFiles(path, tmp_path / "other.npz")
    assert not (tmp_path / "other.npz").exists()
