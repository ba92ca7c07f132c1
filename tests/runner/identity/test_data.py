"""Which data makes an experiment another."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.identity import files
from runner.identity.files import fingerprint
from runner.identity.parts import parts
from tests.runner.identity.runs import (
    add,
    composed,
    differing,
    edit,
    with_flow,
)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    home = tmp_path / "pictures"
    for name in ("a/1.png", "a/2.png", "b/1.png"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(name.encode())
    return home


def with_pictures(path: Path, *words: str) -> dict[str, Any]:
    return parts(composed("method=realnvp", "dataset=image_folder", f"dataset.path={path}", *words))


def test_a_copy_of_pictures_elsewhere_is_the_same_data(pictures: Path, tmp_path: Path) -> None:
    copied = tmp_path / "else" / "where"
    shutil.copytree(pictures, copied, copy_function=shutil.copyfile)
    os.utime(copied / "a" / "1.png", (1, 1))
    assert with_pictures(copied) == with_pictures(pictures)


def written(home: Path) -> None:
    (home / "a" / "1.png").write_bytes(b"A/1.png")


def renamed(home: Path) -> None:
    (home / "a" / "1.png").rename(home / "a" / "3.png")


def moved(home: Path) -> None:
    (home / "a" / "1.png").rename(home / "1.png")


def added(home: Path) -> None:
    (home / "a" / "0.png").touch()


@pytest.mark.parametrize("change", [written, renamed, moved, added])
def test_other_pictures_are_other_data(pictures: Path, change: Callable[[Path], None]) -> None:
    before = with_pictures(pictures)
    change(pictures)
    assert differing(before, with_pictures(pictures)) == {"data"}


def test_no_path_and_one_that_leads_nowhere(tmp_path: Path) -> None:
    none = parts(composed("method=realnvp", "dataset=image_folder"))
    nowhere = with_pictures(tmp_path / "nowhere")
    assert nowhere["data"]["path"] == "missing"
    assert none != nowhere
    assert "path" not in none["data"]


def test_hidden_files_links_to_nowhere_and_pipes_do_not_count(pictures: Path) -> None:
    before = fingerprint(pictures)
    (pictures / ".DS_Store").touch()
    (pictures / ".cache").mkdir()
    (pictures / ".cache" / "x.png").touch()
    (pictures / "a" / "9.png").symlink_to("nowhere")
    os.mkfifo(pictures / "a" / "pipe")
    assert fingerprint(pictures) == before
    assert fingerprint(pictures / "a" / "pipe") == "missing"


def test_links_to_folders_are_followed_once(pictures: Path, tmp_path: Path) -> None:
    before = fingerprint(pictures)
    (pictures / "c").symlink_to(pictures)
    assert fingerprint(pictures) == before
    (pictures / "d").symlink_to(tmp_path / "outside")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "1.png").touch()
    assert fingerprint(pictures) != before


def test_the_order_in_which_a_disk_lists_files_does_not_count(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "1.png").touch()
    for name in ("c", "d"):
        (pictures / name).symlink_to(tmp_path / "outside")
    found, walk = [], os.walk

    def listed(place: Path, backwards: bool) -> Iterator[tuple[str, list[str], list[str]]]:
        for home, below, names in walk(place, followlinks=True):
            below.sort(reverse=backwards)
            names.sort(reverse=backwards)
            yield home, below, names

    for backwards in (False, True):
        monkeypatch.setattr(os, "walk", lambda place, followlinks, b=backwards: listed(place, b))
        found.append(fingerprint(pictures))
    assert found[0] == found[1]


def test_one_file_counts_by_its_bytes_alone(tmp_path: Path) -> None:
    one, two = tmp_path / "one.zip", tmp_path / "two.zip"
    one.write_bytes(b"x" * 10)
    two.write_bytes(b"x" * 10)
    os.utime(two, (1, 1))
    assert with_pictures(one) == with_pictures(two)
    two.write_bytes(b"y" * 10)
    assert differing(with_pictures(one), with_pictures(two)) == {"data"}


def test_much_data_is_not_read_but_known_by_sizes_and_times(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = fingerprint(pictures)
    monkeypatch.setattr(files, "SMALL", 1)
    monkeypatch.setattr(files, "_content", lambda *given: pytest.fail("read"))
    for place in (pictures, pictures / "a" / "1.png"):
        large = fingerprint(place)
        assert large not in (small, "missing")
        os.utime(pictures / "a" / "1.png", ns=(1, 1))
        touched = fingerprint(place)
        assert touched != large
        os.utime(pictures / "a" / "1.png")
    for file in pictures.rglob("*.png"):
        os.utime(file, ns=(1, 1))
    large = fingerprint(pictures)
    renamed(pictures)
    assert fingerprint(pictures) != large


def test_an_error_while_reading_is_left_to_the_run(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: object) -> str:
        raise PermissionError

    monkeypatch.setattr(files, "_content", refuse)
    assert fingerprint(pictures).startswith("times:")


def test_official_files_are_known_by_what_is_published(tmp_path: Path) -> None:
    here = parts(composed("method=realnvp", "dataset=mnist"))
    names = dict(here["data"]["files"])
    assert names["train-images-idx3-ubyte.gz"] == "md5:6bbc9ace898e44ae57da46a324031adb"
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "train-images-idx3-ubyte.gz").write_bytes(b"wrong, and found out when it is read")
    assert parts(composed("method=realnvp", "dataset=mnist", f"data.root={tmp_path}")) == here


def test_the_settings_that_choose_files_choose_checksums() -> None:
    one, two = (
        parts(composed("method=realnvp", "dataset=svhn", f"dataset.extra={extra}"))["data"]["files"]
        for extra in ("true", "false")
    )
    assert one[:2] == two
    assert len(one) == 3


def test_a_readers_own_unpacked_archive_counts_by_its_bytes(tmp_path: Path) -> None:
    """Nothing is published for what the archives of LSUN hold; what the cache holds came from them."""
    words = ["method=realnvp", "dataset=lsun_church", f"data.cache={tmp_path / 'cache'}"]
    official = parts(composed(*words))
    for home in ("cache", "root"):
        place = tmp_path / home / "lsun_church" / "church_outdoor_train_lmdb"
        place.mkdir(parents=True)
        (place / "data.mdb").write_bytes(b"pictures")
    assert parts(composed(*words)) == official
    (tmp_path / "empty").mkdir()
    assert parts(composed(*words, f"data.root={tmp_path / 'empty'}")) == official
    own = parts(composed(*words, f"data.root={tmp_path / 'root'}"))
    assert differing(official, own) == {"data"}
    (tmp_path / "root" / "lsun_church" / "church_outdoor_train_lmdb" / "data.mdb").write_bytes(b"Pictures")
    assert differing(own, parts(composed(*words, f"data.root={tmp_path / 'root'}"))) == {"data"}


def test_a_file_without_a_checksum_counts_by_what_lies_there(flow: Path, tmp_path: Path) -> None:
    edit(flow / "copied_points" / "__init__.py", '("points",))', '("points",), ".remote:files")')
    add(
        flow / "copied_points" / "remote.py",
        "from datasets.types import RemoteFile\n"
        "def files(config):\n    return [RemoteFile('points.bin', None, None)]\n",
    )
    root = tmp_path / "root"
    (root / "toy_points").mkdir(parents=True)
    run = with_flow(flow, f"data.root={root}")
    missing = parts(run)
    assert missing["data"]["files"] == [["points.bin", "missing"]]
    (root / "toy_points" / "points.bin").write_bytes(b"1")
    assert differing(missing, parts(run)) == {"data"}


def test_what_a_reader_keeps_for_a_set_without_official_files_counts(flow: Path, tmp_path: Path) -> None:
    words = with_flow(flow, f"data.root={tmp_path / 'root'}")
    before = parts(words)
    assert before == parts(with_flow(flow))
    (tmp_path / "root" / "toy_points").mkdir(parents=True)
    (tmp_path / "root" / "toy_points" / "points.npy").touch()
    assert differing(before, parts(words)) == {"data"}


def test_a_file_that_may_be_lacking_counts_where_it_is(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "celeba").mkdir(parents=True)
    run = composed("method=realnvp", "dataset=celeba", f"data.root={root}")
    lacking = parts(run)
    assert ["list_attr_celeba.txt", "missing"] in lacking["data"]["files"]
    (root / "celeba" / "list_attr_celeba.txt").touch()
    assert differing(lacking, parts(run)) == {"data"}
