"""A person's own pictures: parts and classes from folders, in a folder and in a zip."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image

from datasets import blocks
from datasets.types import DataError

Images = Callable[..., np.ndarray]


def picture(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind)
    return out.getvalue()


def write(place: Path, files: dict[str, bytes]) -> Path:
    """The files in a folder, or in a zip where `place` ends so."""
    if place.suffix == ".zip":
        with zipfile.ZipFile(place, "w") as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        return place
    for name, data in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
    return place


def pets(random_images: Images, prefix: str = "", count: int = 10, side: int = 6) -> dict[str, bytes]:
    images = iter(random_images(3 * count, side, side, 3, seed=len(prefix)))
    return {
        f"{prefix}{kind}/{n:03d}.png": picture(next(images))
        for kind in ("dog", "cat", "mouse")
        for n in range(count)
    }


@pytest.fixture(params=["pets", "pets.zip"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / str(request.param)


def test_classes_and_pictures_are_torchvisions(
    load: Any, everything: Any, random_images: Images, place: Path, tmp_path: Path
) -> None:
    files = pets(random_images)
    write(place, files)
    oracle = torchvision.datasets.ImageFolder(str(write(tmp_path / "oracle", files)))
    truth = {np.asarray(image).transpose(2, 0, 1).tobytes(): label for image, label in oracle}
    data = load("image_folder", path=str(place), size=None)
    assert data.classes == tuple(oracle.classes) == ("cat", "dog", "mouse")
    assert data.shape == (3, 6, 6)
    assert (len(data.train), len(data.validation), len(data.test)) == (24, 3, 3)
    ours = {}
    for part in (data.train, data.validation, data.test):
        batch = everything(part)
        ours |= {
            image.tobytes(): label
            for image, label in zip(batch.images.numpy(), batch.labels.tolist(), strict=True)
        }
    assert ours == truth


def test_folders_for_the_parts_and_one_folder_around_them(
    load: Any, everything: Any, random_images: Images, place: Path
) -> None:
    files = pets(random_images, "mine/train/", 8) | pets(random_images, "mine/test/", 4)
    write(place, files)
    data = load("image_folder", path=str(place), size=None, validation=5)
    assert data.classes == ("cat", "dog", "mouse")
    assert (len(data.train), len(data.validation), len(data.test)) == (19, 5, 12)
    expected = {
        np.asarray(Image.open(io.BytesIO(d))).transpose(2, 0, 1).tobytes()
        for n, d in files.items()
        if "/test/" in n
    }
    assert {image.tobytes() for image in everything(data.test).images.numpy()} == expected
    assert len(set(everything(load("image_folder", path=str(place), limit=9).test).labels.tolist())) == 3


@pytest.mark.parametrize("name", ["validation", "valid", "val"])
def test_a_folder_for_validation(load: Any, random_images: Images, place: Path, name: str) -> None:
    files = (
        pets(random_images, "train/", 8)
        | pets(random_images, "test/", 4)
        | pets(random_images, f"{name}/", 2)
    )
    write(place, files)
    data = load("image_folder", path=str(place))
    assert (len(data.train), len(data.validation), len(data.test)) == (24, 6, 12)


def test_without_a_test_folder_validation_is_the_test(load: Any, random_images: Images, place: Path) -> None:
    write(place, pets(random_images, "train/", 8) | pets(random_images, "val/", 4))
    data = load("image_folder", path=str(place), validation=3)
    assert (len(data.train), len(data.validation), len(data.test)) == (21, 3, 12)


def test_pictures_without_folders_are_one_class(load: Any, random_images: Images, place: Path) -> None:
    write(place, {f"{n}.jpeg": picture(image, "JPEG") for n, image in enumerate(random_images(10, 9, 7, 3))})
    data = load("image_folder", path=str(place), size=4, grey=True)
    assert data.classes == ("image",)
    assert data.shape == (1, 4, 4)
    assert (len(data.train), len(data.validation), len(data.test)) == (8, 1, 1)


def test_a_folder_and_a_zip_of_it_are_the_same_set(load: Any, random_images: Images, tmp_path: Path) -> None:
    files = pets(random_images)
    loose = load("image_folder", path=str(write(tmp_path / "pets", files)))
    packed = load("image_folder", path=str(write(tmp_path / "pets.zip", files)))
    wrapped = load(
        "image_folder", path=str(write(tmp_path / "top.zip", {f"top/{n}": d for n, d in files.items()}))
    )
    assert loose.checksum == packed.checksum == wrapped.checksum
    indices = torch.arange(24)
    assert torch.equal(loose.train.batch(indices).images, packed.train.batch(indices).images)


def test_the_checksum_follows_names_bytes_and_settings(
    load: Any, random_images: Images, tmp_path: Path
) -> None:
    files = pets(random_images)
    place = write(tmp_path / "pets", files)
    sums = [load("image_folder", path=str(place)).checksum]
    sums.append(load("image_folder", path=str(place), grey=True).checksum)
    sums.append(load("image_folder", path=str(place), split=(0.6, 0.2, 0.2)).checksum)
    name = next(iter(files))
    (place / name).write_bytes(picture(random_images(6, 6, 3, seed=99)))
    sums.append(load("image_folder", path=str(place)).checksum)
    (place / name).rename(place / "dog" / "renamed.png")
    sums.append(load("image_folder", path=str(place)).checksum)
    assert len(set(sums)) == 5


@pytest.mark.parametrize("size", [None, 4, 9])
def test_memory_decoding_and_kept_arrays_give_the_same_batches(
    load: Any,
    random_images: Images,
    place: Path,
    size: int | None,
    monkeypatch: pytest.MonkeyPatch,
    access: Any,
) -> None:
    write(place, pets(random_images))
    options = {"path": str(place), "size": size, "levels": 8, "flip": True, "crop": 1}
    sets = [load("image_folder", in_memory=flag, **options) for flag in (True, False)]
    assert not list(access.cache.rglob("*.npy")), "few pictures are not worth keeping"
    monkeypatch.setattr(blocks, "WORTH_KEEPING", 1)
    monkeypatch.setattr(blocks, "CHUNK", 5)
    sets += [load("image_folder", in_memory=True, **options)]
    kept = sorted(access.cache.rglob("*.npy"))
    assert len(kept) == 3
    monkeypatch.setattr(blocks, "decode", lambda *args: pytest.fail("decoded again"))
    if size is not None:
        sets += [load("image_folder", in_memory=True, **options)]
    monkeypatch.undo()
    batches = []
    for data in sets:
        torch.manual_seed(7)
        batches.append(data.train.batch(torch.arange(24)))
    assert all(torch.equal(batch.images, batches[0].images) for batch in batches)
    assert all(torch.equal(batch.labels, batches[0].labels) for batch in batches)
    assert int(batches[0].images.max()) < 8


def test_only_what_is_asked_for_is_decoded(load: Any, random_images: Images, tmp_path: Path) -> None:
    files = pets(random_images)
    data = load("image_folder", path=str(write(tmp_path / "pets.zip", files)), limit=2)
    assert (len(data.train), len(data.validation), len(data.test)) == (2, 2, 2)


def test_other_files_are_passed_over(load: Any, random_images: Images, place: Path) -> None:
    junk = {"cat/notes.txt": b"x", "__MACOSX/cat/._000.png": b"x", "cat/.hidden.png": b"x", "Thumbs.db": b"x"}
    write(place, pets(random_images) | junk)
    assert load("image_folder", path=str(place)).classes == ("cat", "dog", "mouse")


def read_all(data: Any) -> None:
    for part in (data.train, data.validation, data.test):
        part.batch(torch.arange(len(part)))


def sentence(load: Any, match: str, **options: Any) -> str:
    with pytest.raises(DataError, match=match) as error:
        read_all(load("image_folder", **options))
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_corrupt_picture_is_named(load: Any, random_images: Images, place: Path, in_memory: bool) -> None:
    files = pets(random_images)
    files["dog/003.png"] = files["dog/003.png"][:60]
    write(place, files)
    message = sentence(load, r"dog/003\.png", path=str(place), in_memory=in_memory)
    assert str(place) in message


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_name_without_a_file_behind_it_is_said(
    load: Any, random_images: Images, tmp_path: Path, kind: str
) -> None:
    odd = write(tmp_path / "pets", pets(random_images)) / "dog" / "zz.png"
    if kind == "link":
        odd.symlink_to("nowhere.png")
    else:
        os.mkfifo(odd)
    assert "no file that can be read" in sentence(load, r"zz\.png", path=str(tmp_path / "pets"))


@pytest.mark.parametrize("in_memory", [True, False])
def test_pictures_of_several_sizes_need_a_size(
    load: Any, random_images: Images, place: Path, in_memory: bool
) -> None:
    files = pets(random_images) | {"dog/big.png": picture(random_images(8, 6, 3))}
    write(place, files)
    message = sentence(load, r"dataset\.size=N", path=str(place), size=None, in_memory=in_memory)
    assert "6x8" in message
    assert "6x6" in message


def test_what_is_wrong_with_a_path_is_said(load: Any, random_images: Images, tmp_path: Path) -> None:
    sentence(load, r"needs dataset\.path=", path=None)
    sentence(load, "does not exist", path=str(tmp_path / "nowhere"))
    (tmp_path / "text").write_text("neither")
    sentence(load, "neither a folder nor a zip", path=str(tmp_path / "text"))
    (tmp_path / "empty").mkdir()
    sentence(load, "holds no pictures", path=str(tmp_path / "empty"))
    mixed = write(tmp_path / "mixed", pets(random_images) | {"loose.png": picture(random_images(6, 6, 3))})
    sentence(load, "beside them", path=str(mixed))
    alone = write(tmp_path / "alone", pets(random_images, "train/"))
    sentence(load, "not both train and test", path=str(alone))
    two = write(tmp_path / "two", {f"{n}.png": picture(random_images(6, 6, 3)) for n in range(2)})
    sentence(load, "too few for three parts", path=str(two))
    evil = write(tmp_path / "evil.zip", {"../cat/1.png": b"x"})
    sentence(load, "outside of its own folder", path=str(evil))
    parts = write(tmp_path / "parts", pets(random_images, "train/", 2) | pets(random_images, "test/", 2))
    sentence(load, r"dataset\.validation=6 leaves nothing", path=str(parts), validation=6)


def test_a_share_is_held_out_where_no_number_is_given(
    load: Any, random_images: Images, tmp_path: Path
) -> None:
    place = write(tmp_path / "parts", pets(random_images, "train/", 10) | pets(random_images, "test/", 2))
    data = load("image_folder", path=str(place), split=(0.6, 0.2, 0.2))
    assert (len(data.train), len(data.validation), len(data.test)) == (22, 8, 6)
