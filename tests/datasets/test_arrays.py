"""Sets that come as arrays (IDX, CIFAR, SVHN, npz), written in miniature and read by torchvision too."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from scipy.io import savemat

from datasets.idx import read_idx
from datasets.types import Access, DataError

Images = Callable[..., np.ndarray]
TRAIN, TEST = 60, 20


def idx(array: np.ndarray) -> bytes:
    return (
        struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
    )


def write_mnist(folder: Path, random_images: Images, pack: bool = True) -> dict[str, np.ndarray]:
    arrays = {
        "train-images-idx3-ubyte": random_images(TRAIN, 28, 28, seed=1),
        "train-labels-idx1-ubyte": np.arange(TRAIN, dtype=np.uint8) % 10,
        "t10k-images-idx3-ubyte": random_images(TEST, 28, 28, seed=2),
        "t10k-labels-idx1-ubyte": np.arange(TEST, dtype=np.uint8)[::-1] % 10,
    }
    folder.mkdir(parents=True)
    for name, array in arrays.items():
        (folder / name).write_bytes(idx(array))
        if pack:
            (folder / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
    return arrays


def same(part: Any, images: np.ndarray, labels: np.ndarray) -> bool:
    """Whether a part holds these images `[N, C, H, W]`, in this order."""
    batch = part.batch(torch.arange(len(part)))
    return np.array_equal(batch.images.numpy(), images) and batch.labels.tolist() == labels.tolist()


def rejoined(data: Any) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of the training and validation parts together, sorted by their bytes."""
    batches = [part.batch(torch.arange(len(part))) for part in (data.train, data.validation)]
    images = np.concatenate([batch.images.numpy() for batch in batches])
    labels = np.concatenate([batch.labels.numpy() for batch in batches])
    order = np.lexsort(images.reshape(len(images), -1).T[:8])
    return images[order], labels[order]


def by_bytes(images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.lexsort(images.reshape(len(images), -1).T[:8])
    return images[order], labels[order]


def agree(data: Any, train: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray]) -> None:
    ours, expected = rejoined(data), by_bytes(*train)
    assert np.array_equal(ours[0], expected[0])
    assert np.array_equal(ours[1], expected[1])
    assert same(data.test, *test)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_idx_files_are_read_as_torchvision_reads_them(
    name: str, load: Any, access: Access, publish: Any, random_images: Images
) -> None:
    folder = access.root / name
    write_mnist(folder, random_images)
    publish(name)
    write_mnist(folder / "MNIST" / "raw", random_images)
    parts = [torchvision.datasets.MNIST(str(folder), train=train, download=False) for train in (True, False)]
    train, test = ((part.data.numpy()[:, None], part.targets.numpy()) for part in parts)
    data = load(name, validation=7)
    assert (data.shape, data.levels, len(data.classes)) == ((1, 28, 28), 256, 10)
    assert (len(data.train), len(data.validation), len(data.test)) == (TRAIN - 7, 7, TEST)
    agree(data, train, test)


@pytest.mark.parametrize("place", ["mnist/MNIST/raw", "MNIST/raw"])
def test_torchvisions_uncompressed_layout_gives_the_same_set(
    place: str, load: Any, access: Access, monkeypatch: pytest.MonkeyPatch, random_images: Images
) -> None:
    import dataclasses
    import hashlib

    from datasets import sources

    arrays = write_mnist(access.root / place, random_images, pack=False)
    sums = {f"{name}.gz": "md5:" + hashlib.md5(idx(array)).hexdigest() for name, array in arrays.items()}
    official = sources.mnist(None)
    wanted = [dataclasses.replace(file, content=sums[file.name]) for file in official]
    monkeypatch.setattr(sources, "mnist", lambda config: wanted)
    data = load("mnist", validation=7)
    assert same(data.test, arrays["t10k-images-idx3-ubyte"][:, None], arrays["t10k-labels-idx1-ubyte"])
    unpacked = data.checksum
    (access.root / "mnist").mkdir(exist_ok=True)
    for name, array in arrays.items():
        (access.root / "mnist" / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
    assert load("mnist", validation=7).checksum == unpacked


def test_broken_idx_files_are_one_sentence(tmp_path: Path) -> None:
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    path = tmp_path / "file"
    path.write_bytes(idx(array))
    assert np.array_equal(read_idx(path, 3), array)
    for wrong in (idx(array)[:-1], idx(array) + b"x", idx(array)[:9], b"", b"\0\0\x0d\x03" + idx(array)[4:]):
        path.write_bytes(wrong)
        with pytest.raises(DataError, match=f"{path} is damaged"):
            read_idx(path, 3)
    path.write_bytes(idx(array))
    with pytest.raises(DataError, match="1 dimensions"):
        read_idx(path, 1)


def tar_gz(path: Path, members: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


CIFAR10 = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def write_cifar10(
    access: Access, random_images: Images, **extra: bytes
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    batches = {
        name: (random_images(10, 3072, seed=seed), (np.arange(10, dtype=np.uint8) * 3 + seed) % 10)
        for seed, name in enumerate([*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"])
    }
    members = {
        f"cifar-10-batches-bin/{name}.bin": np.concatenate([labels[:, None], images], 1).tobytes()
        for name, (images, labels) in batches.items()
    }
    members["cifar-10-batches-bin/batches.meta.txt"] = "\n".join([*CIFAR10, ""]).encode()
    tar_gz(access.root / "cifar10" / "cifar-10-binary.tar.gz", {**extra, **members})
    return batches


def test_cifar10_is_read_as_torchvision_reads_its_other_packaging(
    load: Any, access: Access, publish: Any, random_images: Images, tmp_path: Path
) -> None:
    batches = write_cifar10(access, random_images, **{"../../evil.bin": b"x", "/evil.bin": b"x"})
    publish("cifar10")
    folder = tmp_path / "python" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for name, (images, labels) in batches.items():
        (folder / name).write_bytes(pickle.dumps({"data": images, "labels": labels.tolist()}))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": CIFAR10}))

    class Unchecked(torchvision.datasets.CIFAR10):
        train_list = [[f"data_batch_{k}", None] for k in range(1, 6)]
        test_list = [["test_batch", None]]
        meta = {"filename": "batches.meta", "key": "label_names", "md5": None}

    train, test = (Unchecked(str(folder.parent), train=train) for train in (True, False))
    expected = [(part.data.transpose(0, 3, 1, 2), np.array(part.targets)) for part in (train, test)]
    data = load("cifar10", validation=9, flip=False)
    assert data.classes == tuple(test.classes)
    assert data.shape == (3, 32, 32)
    agree(data, *expected)
    assert not list(tmp_path.rglob("evil*"))
    assert not Path("/evil.bin").exists()


def test_cifar100_takes_the_fine_labels(
    load: Any, access: Access, publish: Any, random_images: Images
) -> None:
    names = [f"fine{number}" for number in range(100)]
    members, truth = {}, {}
    for seed, part in enumerate(("train", "test")):
        images, fine = random_images(30, 3072, seed=seed), np.arange(30, dtype=np.uint8) * 3 + seed
        rows = np.concatenate([(fine // 5)[:, None], fine[:, None], images], 1)
        members[f"cifar-100-binary/{part}.bin"] = rows.tobytes()
        truth[part] = (images.reshape(-1, 3, 32, 32), fine)
    members["cifar-100-binary/fine_label_names.txt"] = "\n".join(names).encode()
    tar_gz(access.root / "cifar100" / "cifar-100-binary.tar.gz", members)
    publish("cifar100")
    data = load("cifar100", validation=5, flip=False)
    assert data.classes == tuple(names)
    agree(data, truth["train"], truth["test"])


def test_a_cifar_archive_that_lacks_a_batch_is_one_sentence(load: Any, access: Access, publish: Any) -> None:
    tar_gz(
        access.root / "cifar10" / "cifar-10-binary.tar.gz",
        {"cifar-10-batches-bin/test_batch.bin": bytes(3073)},
    )
    publish("cifar10")
    with pytest.raises(DataError, match=r"cifar-10-binary\.tar\.gz.*lacks.*data_batch_1\.bin"):
        load("cifar10")


@pytest.mark.parametrize("cut", [0.3, 0.99])
def test_a_truncated_cifar_archive_is_one_sentence(
    load: Any, access: Access, publish: Any, random_images: Images, cut: float
) -> None:
    write_cifar10(access, random_images)
    path = access.root / "cifar10" / "cifar-10-binary.tar.gz"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * cut)])
    publish("cifar10")
    with pytest.raises(DataError, match=r"cifar-10-binary\.tar\.gz"):
        load("cifar10", validation=5)


def write_svhn(folder: Path, random_images: Images) -> None:
    folder.mkdir(parents=True)
    for seed, (part, count) in enumerate((("train", 30), ("test", 12), ("extra", 25))):
        labels = (np.arange(count) % 10 + 1).astype(np.uint8)[:, None]
        savemat(folder / f"{part}_32x32.mat", {"X": random_images(32, 32, 3, count, seed=seed), "y": labels})


@pytest.mark.parametrize("extra", [False, True])
def test_svhn_is_read_as_torchvision_reads_it(
    load: Any, access: Access, publish: Any, random_images: Images, extra: bool
) -> None:
    folder = access.root / "svhn"
    write_svhn(folder, random_images)
    publish("svhn")

    class Unchecked(torchvision.datasets.SVHN):
        split_list = {part: ["", f"{part}_32x32.mat", None] for part in ("train", "test", "extra")}

    parts = [Unchecked(str(folder), part) for part in (["train", "extra"] if extra else ["train"])]
    test = Unchecked(str(folder), "test")
    train = (np.concatenate([part.data for part in parts]), np.concatenate([part.labels for part in parts]))
    data = load("svhn", validation=6, extra=extra)
    agree(data, train, (test.data, test.labels))
    held, official = data.validation.batch(torch.arange(6)).images.numpy(), parts[0].data
    assert all((official == image).all((1, 2, 3)).any() for image in held)


def test_a_broken_mat_file_is_one_sentence(
    load: Any, access: Access, publish: Any, random_images: Images
) -> None:
    folder = access.root / "svhn"
    write_svhn(folder, random_images)
    path = folder / "train_32x32.mat"
    data = path.read_bytes()
    for wrong in (data[:5000], b"", b"MATLAB 7.3 MAT-file" + bytes(200), data[:130]):
        path.write_bytes(wrong)
        publish("svhn")
        with pytest.raises(DataError, match=r"train_32x32\.mat"):
            load("svhn")
    savemat(path, {"X": np.zeros((16, 16, 3, 4), np.uint8), "y": np.ones((4, 1))})
    publish("svhn")
    with pytest.raises(DataError, match=r"\(16, 16, 3, 4\)"):
        load("svhn")


def npz(**arrays: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def write_npz(folder: Path, random_images: Images, side: int, kind: type = np.int64) -> dict[str, Any]:
    folder.mkdir(parents=True)
    batches = {
        number: (random_images(8, 3 * side * side, seed=number), np.arange(8, dtype=kind) * 100 + number)
        for number in range(11)
    }
    files = {
        number: npz(data=data, labels=labels, mean=data[0] / 255)
        for number, (data, labels) in batches.items()
    }
    groups = (
        {"train_npz": range(1, 11)}
        if side == 32
        else {"train_part1_npz": range(1, 6), "train_part2_npz": range(6, 11)}
    )
    for group, numbers in groups.items():
        with zipfile.ZipFile(folder / f"Imagenet{side}_{group}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for number in reversed(numbers):
                archive.writestr(f"Imagenet{side}_{group}/train_data_batch_{number}.npz", files[number])
    batches[0] = (batches[0][0], batches[0][1] + 1)
    with zipfile.ZipFile(folder / f"Imagenet{side}_val_npz.zip", "w") as archive:
        archive.writestr("val_data.npz", npz(data=batches[0][0], labels=batches[0][1]))
    return batches


@pytest.mark.parametrize("side", [32, 64])
@pytest.mark.parametrize("in_memory", [True, False])
def test_downsampled_imagenet(
    load: Any, access: Access, publish: Any, random_images: Images, side: int, in_memory: bool
) -> None:
    name = f"imagenet{side}_npz"
    batches = write_npz(access.root / name, random_images, side)
    publish(name)
    data = load(name, validation=10, in_memory=in_memory)
    assert data.in_memory == in_memory
    images = np.concatenate([batches[number][0] for number in range(1, 11)]).reshape(-1, 3, side, side)
    labels = np.concatenate([batches[number][1] for number in range(1, 11)]) - 1
    agree(data, (images, labels), (batches[0][0].reshape(-1, 3, side, side), batches[0][1] - 1))
    numbers = [
        int(np.flatnonzero((images == image).all((1, 2, 3)))[0])
        for image in data.train.batch(torch.arange(70))[0].numpy()
    ]
    assert numbers == sorted(numbers), "batch 10 comes after batch 9"
    again = load(name, validation=10, in_memory=in_memory)
    assert again.checksum == data.checksum
    assert not [path for path in (access.cache / name).rglob("*") if path.suffix == ".npz"]


def test_npz_batches_run_no_pickle_and_are_checked(
    load: Any, access: Access, publish: Any, random_images: Images
) -> None:
    folder = access.root / "imagenet32_npz"
    batches = write_npz(folder, random_images, 32)
    data, labels = batches[1]
    evil = np.empty(8, object)
    evil[:] = [Exploding()] * 8
    for wrong in (
        npz(data=evil, labels=labels),
        npz(data=data, labels=evil),
        npz(data=data[:, :5], labels=labels),
        npz(data=data, labels=labels + 1000),
        npz(data=data, labels=labels[:3]),
        npz(data=data.astype(np.float32), labels=labels),
        npz(data=np.asfortranarray(data), labels=labels),
        npz(data=data, labels=labels)[:4000],
        b"",
    ):
        with zipfile.ZipFile(folder / "Imagenet32_train_npz.zip", "w") as archive:
            archive.writestr("train_data_batch_1.npz", wrong)
        publish("imagenet32_npz")
        with pytest.raises(DataError, match="damaged"):
            load("imagenet32_npz", validation=2)
    assert not Exploding.went_off


class Exploding:
    """Notes when it is unpickled."""

    went_off = False

    def __reduce__(self) -> tuple[Any, ...]:
        return (_explode, ())


def _explode() -> None:
    Exploding.went_off = True
