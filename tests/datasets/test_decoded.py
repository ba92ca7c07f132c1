"""Sets that come as pictures (small ImageNet, LSUN), written here in miniature."""

from __future__ import annotations

import builtins
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import pytest
import torch
from PIL import Image

from datasets.types import Access, DataError

Images = Callable[..., np.ndarray]


def packed(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind)
    return out.getvalue()


def smooth(height: int, width: int, seed: int) -> np.ndarray:
    """A picture without noise, for JPEG and resizing."""
    small = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def write_imagenet(folder: Path, side: int, random_images: Images) -> dict[str, np.ndarray]:
    folder.mkdir(parents=True)
    arrays = {
        "train": random_images(25, side, side, 3, seed=1),
        "valid": random_images(9, side, side, 3, seed=2),
    }
    for part, images in arrays.items():
        with tarfile.open(folder / f"{part}_{side}x{side}.tar", "w") as archive:
            for number, pixels in reversed(list(enumerate(images))):
                data = packed(pixels)
                member = tarfile.TarInfo(f"{part}_{side}x{side}/{number:07d}.png")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    return arrays


@pytest.mark.parametrize("side", [32, 64])
@pytest.mark.parametrize("in_memory", [True, False])
def test_small_imagenet(
    load: Any,
    access: Access,
    publish: Any,
    everything: Any,
    random_images: Images,
    side: int,
    in_memory: bool,
) -> None:
    name = f"imagenet{side}"
    arrays = write_imagenet(access.root / name, side, random_images)
    publish(name)
    data = load(name, validation=5, in_memory=in_memory)
    assert (len(data.train), len(data.validation), len(data.test)) == (20, 5, 9)
    assert np.array_equal(everything(data.test).images.numpy(), arrays["valid"].transpose(0, 3, 1, 2))
    joined = torch.cat([everything(data.train).images, everything(data.validation).images]).numpy()
    truth = arrays["train"].transpose(0, 3, 1, 2)
    assert {image.tobytes() for image in joined} == {image.tobytes() for image in truth}
    assert set(everything(data.train).labels.tolist()) == {0}


def write_lsun(folder: Path, scene: str, count: int = 14, zipped: bool = True) -> dict[str, list[bytes]]:
    """Two lmdb folders of JPEG, zipped as the official ones are; pictures in the keys' order."""
    pictures = {}
    for part, number in (("train", count), ("val", 3)):
        place = folder / f"{scene}_{part}_lmdb"
        place.mkdir(parents=True)
        values = {}
        for n in range(number):
            shape = (256, 300 + n) if n % 2 else (310 + n, 256)
            values[f"{(n * 7919) % 1000:040x}".encode()] = packed(smooth(*shape, seed=n), "JPEG")
        with (
            lmdb.open(str(place), map_size=1 << 24) as environment,
            environment.begin(write=True) as transaction,
        ):
            for key, value in values.items():
                transaction.put(key, value)
        pictures[part] = [values[key] for key in sorted(values)]
        if zipped:
            with zipfile.ZipFile(folder / f"{scene}_{part}_lmdb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
                for file in ("data.mdb", "lock.mdb"):
                    archive.write(place / file, f"{scene}_{part}_lmdb/{file}")
                    (place / file).unlink()
            place.rmdir()
    return pictures


def short_side_96(jpeg: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(jpeg))
    width, height = image.size
    size = (96, int(96 * height / width)) if width < height else (int(96 * width / height), 96)
    return np.asarray(image.resize(size, Image.Resampling.BILINEAR)).transpose(2, 0, 1)


@pytest.mark.parametrize(("name", "scene"), [("lsun_church", "church_outdoor"), ("lsun_tower", "tower")])
@pytest.mark.parametrize("zipped", [True, False])
def test_lsun_evaluates_on_the_centre(
    load: Any, access: Access, publish: Any, everything: Any, name: str, scene: str, zipped: bool
) -> None:
    pictures = write_lsun(access.root / name, scene, zipped=zipped)
    publish(name)
    data = load(name, validation=4, in_memory=False)
    assert (data.shape, data.classes) == ((3, 64, 64), (name.removeprefix("lsun_"),))
    assert (len(data.train), len(data.validation), len(data.test)) == (10, 4, 3)
    for crop, jpeg in zip(everything(data.test).images.numpy(), pictures["val"], strict=True):
        whole = short_side_96(jpeg)
        top, left = ((extent - 64 + 1) // 2 for extent in whole.shape[1:])
        assert np.array_equal(crop, whole[:, top : top + 64, left : left + 64])
    assert torch.equal(everything(data.validation).images, everything(data.validation).images)


def test_lsun_trains_on_random_crops_of_the_same_pictures(load: Any, access: Access, publish: Any) -> None:
    pictures = write_lsun(access.root / "lsun_church", "church_outdoor")
    publish("lsun_church")
    data = load("lsun_church", validation=4, in_memory=False, flip=False)
    wholes = [short_side_96(jpeg) for jpeg in pictures["train"]]
    windows = {
        whole[:, top : top + 64, left : left + 64].tobytes(): (number, top, left)
        for number, whole in enumerate(wholes)
        for top in range(whole.shape[1] - 63)
        for left in range(whole.shape[2] - 63)
    }
    torch.manual_seed(0)
    seen = [windows[crop.tobytes()] for crop in data.train.batch(torch.arange(10).repeat(40)).images.numpy()]
    assert len({number for number, _, _ in seen}) == 10
    tops = [top for number, top, _ in seen if wholes[number].shape[1] == 96]
    assert {min(tops), max(tops)} == {0, 32}, "the first and the last place occur"
    for crop in data.train.plain.batch(torch.arange(10).repeat(3)).images.numpy():
        number, top, left = windows[crop.tobytes()]
        assert (top, left) == tuple((extent - 64 + 1) // 2 for extent in wholes[number].shape[1:])


def test_lsun_in_memory_equals_decoding(load: Any, access: Access, publish: Any) -> None:
    write_lsun(access.root / "lsun_church", "church_outdoor")
    publish("lsun_church")
    batches = []
    for in_memory in (True, False):
        data = load("lsun_church", validation=4, in_memory=in_memory)
        torch.manual_seed(3)
        batches.append(data.train.batch(torch.arange(10)).images)
    assert torch.equal(*batches)


def test_lsun_zipped_and_unpacked_are_the_same_set(load: Any, access: Access, publish: Any) -> None:
    folder = access.root / "lsun_church"
    write_lsun(folder, "church_outdoor")
    publish("lsun_church")
    checksum = load("lsun_church", validation=4).checksum
    for part in ("train", "val"):
        archive = folder / f"church_outdoor_{part}_lmdb.zip"
        zipfile.ZipFile(archive).extractall(folder)
        archive.unlink()
    assert load("lsun_church", validation=4).checksum == checksum


def test_lsun_without_lmdb_says_what_to_install(
    load: Any, access: Access, publish: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_lsun(access.root / "lsun_church", "church_outdoor")
    publish("lsun_church")
    honest = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "lmdb":
            raise ImportError(name)
        return honest(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DataError, match="pip install lmdb"):
        load("lsun_church", validation=4)


def test_zips_without_a_sound_lmdb_are_sentences(load: Any, access: Access, publish: Any) -> None:
    folder = access.root / "lsun_church"
    write_lsun(folder, "church_outdoor")
    for members in ({"../data.mdb": b"x"}, {"church_outdoor_train_lmdb/data.mdb": b"no lmdb" * 1000}):
        with zipfile.ZipFile(folder / "church_outdoor_train_lmdb.zip", "w") as archive:
            for member, data in members.items():
                archive.writestr(member, data)
        publish("lsun_church")
        with pytest.raises(DataError, match="church_outdoor_train_lmdb"):
            load("lsun_church", validation=4)
    assert not (access.cache / "data.mdb").exists()
    assert not (access.cache / "lsun_church" / "data.mdb").exists()


def test_lsun_is_read_on_both_sides_of_a_fork(load: Any, access: Access, publish: Any) -> None:
    write_lsun(access.root / "lsun_church", "church_outdoor")
    publish("lsun_church")
    data = load("lsun_church", validation=4, in_memory=False)
    expected = data.validation.batch(torch.arange(4)).images
    context = torch.multiprocessing.get_context("fork")
    out = context.SimpleQueue()
    child = context.Process(target=_digest_in_child, args=(data.validation, out))
    child.start()
    assert out.get() == expected.numpy().tobytes()
    child.join()
    assert child.exitcode == 0


def _digest_in_child(part: Any, out: Any) -> None:
    try:
        out.put(part.batch(torch.arange(4)).images.numpy().tobytes())
    except BaseException as error:  # or the parent would wait for ever
        out.put(repr(error))
