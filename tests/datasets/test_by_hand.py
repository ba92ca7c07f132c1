"""miniImageNet and the birds, from small folders laid out as the real ones are."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from datasets.types import DataError

PARTS = {"train": ["n03", "n01"], "val": ["n04"], "test": ["n02", "n05"]}


def picture(path: Path, colour: int, size: tuple[int, int] = (12, 9)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (colour, 255 - colour, 7)).save(path, quality=95)


@pytest.fixture
def mini(access: Any) -> Path:
    home = Path(access.root / "miniimagenet")
    for part, labels in PARTS.items():
        rows = [(f"{label}{i:08}.jpg", label) for i in range(3) for label in labels]  # classes interleaved
        for file, label in rows:
            picture(home / "images" / file, 40 * int(label[1:]) + int(file[3:11]))
        text = "\n".join(["filename,label", *(",".join(row) for row in rows)])
        (home / f"{part}.csv").write_text(text)
    return home


def test_mini_imagenet_is_parted_as_its_lists_say(mini: Path, load: Any) -> None:
    data = load("miniimagenet", size=8)
    assert (data.train.names, data.validation.names, data.test.names) == (
        ("n01", "n03"),
        ("n04",),
        ("n02", "n05"),
    )
    assert data.shape == (3, 8, 8)
    for part in (data.train, data.test):
        reds = part.images[:, 0].float().mean((1, 2)).view(len(part), 3)
        for name, row in zip(part.names, reds, strict=True):
            assert row.tolist() == pytest.approx([40 * int(name[1:]) + i for i in range(3)], abs=2)
    other = load("miniimagenet", size=8, train=("n02",), validation=("n01",), test=None)
    assert other.test.names == ("n03", "n04", "n05")
    assert other.checksum != data.checksum


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda home: (home / "val.csv").unlink(), "has no val.csv"),
        (lambda home: (home / "val.csv").write_text("file,class\n"), "not filename,label"),
        (lambda home: (home / "val.csv").write_text("filename,label\n../x.jpg,n9"), "names ../x.jpg, which"),
        (lambda home: (home / "images" / "n0100000000.jpg").unlink(), "cannot read .*n0100000000.jpg"),
        (lambda home: (home / "images" / "n0100000000.jpg").write_bytes(b"no"), "n0100000000.jpg is damaged"),
        (
            lambda home: (home / "val.csv").write_text((home / "test.csv").read_text()),
            "name .* more than once",
        ),
    ],
)
def test_a_folder_that_is_not_right_is_a_sentence(harm: Any, said: str, mini: Path, load: Any) -> None:
    harm(mini)
    with pytest.raises(DataError, match=said):
        load("miniimagenet", size=8)


@pytest.mark.parametrize("name", ["miniimagenet", "cub"])
def test_nothing_there_says_where_it_belongs(name: str, load: Any) -> None:
    with pytest.raises(DataError, match=f"{name} is not here: .*root/{name}"):
        load(name)


SPECIES = ["001.Black_Albatross", "002.Sooty_Albatross", "003.Blue_Jay", "004.Green_Jay"]
LISTS = {"train": SPECIES[2:], "val": SPECIES[:1], "test": SPECIES[1:2]}


@pytest.fixture
def birds(access: Any) -> Path:
    home = Path(access.root / "cub" / "CUB_200_2011")
    files, labels = [], []
    for i in range(9):  # classes not in order
        k = (3 * i) % 4
        files.append(f"{SPECIES[k]}/{i}.jpg")
        labels.append(k + 1)
        picture(home / "images" / files[-1], 20 * i)
    (home / "images.txt").write_text("\n".join(f"{i + 1} {file}" for i, file in enumerate(files)))
    (home / "image_class_labels.txt").write_text("\n".join(f"{i + 1} {k}" for i, k in enumerate(labels)))
    (home / "classes.txt").write_text("\n".join(f"{k + 1} {name}" for k, name in enumerate(SPECIES)))
    (home / "attributes").mkdir()
    shares = np.arange(4 * 3).reshape(4, 3)
    np.savetxt(home / "attributes" / "class_attribute_labels_continuous.txt", shares)
    for part, names in LISTS.items():
        (home / f"{part}classes.txt").write_text("\n".join(names))
    return home


def test_birds_have_images_and_attributes(birds: Path, load: Any) -> None:
    data = load("cub", size=8)
    assert (data.train.names, data.train.groups) == (tuple(SPECIES[2:]), ("Jay", "Jay"))
    assert (data.validation.names, data.test.names) == ((SPECIES[0],), (SPECIES[1],))
    np.testing.assert_allclose(data.train.attributes, np.arange(6, 12).reshape(2, 3) / 100)
    own = [i for i in range(9) if (3 * i) % 4 == 2], [i for i in range(9) if (3 * i) % 4 == 3]
    assert data.train.counts.tolist() == [len(part) for part in own]
    reds = data.train.images[:, 0].float().mean((1, 2)).tolist()
    assert reds == pytest.approx([20 * i for part in own for i in part], abs=3)


@pytest.mark.parametrize("crops", [None, 2])
def test_birds_as_vectors(crops: int | None, birds: Path, load: Any, tmp_path: Path) -> None:
    shape = (9, 5) if crops is None else (9, crops, 5)
    features = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    np.save(tmp_path / "features.npy", features)
    data = load("cub", features=str(tmp_path / "features.npy"))
    assert (data.shape, data.levels) == ((5,), None)
    own = [i for i in range(9) if (3 * i) % 4 == 1]
    first = features[own] if crops is None else features[own, 0]
    assert np.array_equal(data.test.images.numpy(), first)
    trained = [i for k in (2, 3) for i in range(9) if (3 * i) % 4 == k]
    assert np.array_equal(data.train.images.numpy(), features[trained].reshape(-1, 5))
    np.save(tmp_path / "other.npy", features + 1)
    assert load("cub", features=str(tmp_path / "other.npy")).checksum != data.checksum


def test_features_that_do_not_fit_are_a_sentence(birds: Path, load: Any, tmp_path: Path) -> None:
    path = tmp_path / "f.npy"
    with pytest.raises(DataError, match=r"dataset.features=.*f.npy does not exist"):
        load("cub", features=str(path))
    np.save(path, np.zeros((8, 5), np.float32))
    with pytest.raises(DataError, match=r"must be float32 \[9, D\].*not float32 \[8, 5\]"):
        load("cub", features=str(path))
    np.save(path, np.zeros((9, 5), np.float32))
    with pytest.raises(DataError, match="rotations=true turns images"):
        load("cub", features=str(path), rotations=True)
    np.save(path, np.array([{}] * 9, dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match=r"f.npy is damaged"):
        load("cub", features=str(path))


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("trainclasses.txt", None, "trainclasses.txt is not here; it is one of the lists"),
        ("images.txt", "1 /etc/passwd", "image 2 is in only one of"),
        ("attributes/class_attribute_labels_continuous.txt", "1 2 3", "describes 1 classes instead of 4"),
        ("classes.txt", None, "cannot read .*classes.txt"),
        ("image_class_labels.txt", "1\n2\n", "image_class_labels.txt is damaged"),
    ],
)
def test_tables_that_are_not_right(file: str, text: str | None, said: str, birds: Path, load: Any) -> None:
    if text is None:
        (birds / file).unlink()
    else:
        (birds / file).write_text(text)
    with pytest.raises(DataError, match=said):
        load("cub", size=8)


def test_settings_are_those_of_the_papers(settings: Any) -> None:
    assert (settings("miniimagenet").size, settings("cub").features) == (84, None)
    assert dataclasses.asdict(settings("cub"))["train"] is None


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: np.save(path, np.zeros((9, 0), np.float32)), r"not float32 \[9, 0\]"),
        (lambda path: np.save(path, np.zeros((9, 0, 5), np.float32)), r"not float32 \[9, 0, 5\]"),
        (lambda path: np.savez(path.open("wb"), a=np.zeros((9, 5), np.float32)), "holds several arrays"),
        (lambda path: np.save(path, np.full((9, 5), np.nan, np.float32)), "not finite"),
    ],
)
def test_features_that_are_none_are_a_sentence(
    make: Any, said: str, birds: Path, load: Any, tmp_path: Path
) -> None:
    make(tmp_path / "f.npy")
    with pytest.raises(DataError, match=said):
        load("cub", features=str(tmp_path / "f.npy"))


def test_labels_are_found_by_the_images_numbers(birds: Path, load: Any) -> None:
    table = birds / "image_class_labels.txt"
    before = load("cub", size=8)
    table.write_text("\n".join(reversed(table.read_text().splitlines())))
    after = load("cub", size=8)
    assert after.train.counts.tolist() == before.train.counts.tolist()
    assert np.array_equal(after.train.images, before.train.images)


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("image_class_labels.txt", "9 1", "9 abc", "image_class_labels.txt is damaged.*abc"),
        ("image_class_labels.txt", "9 1", "9 77", "there is no class 77"),
        ("image_class_labels.txt", "9 1", "9 0", "there is no class 0"),
        ("image_class_labels.txt", "9 1", "8 1", "a number is there twice"),
        ("image_class_labels.txt", "9 1", "10 1", "image 9 is in only one of"),
        ("images.txt", "9 ", "x ", "images.txt is damaged"),
        ("classes.txt", "4 ", "5 ", "does not number its 4 classes from 1 on"),
        ("attributes/class_attribute_labels_continuous.txt", "0.0", "nan", "not finite"),
    ],
)
def test_tables_that_do_not_fit_are_a_sentence(
    file: str, old: str, new: str, said: str, birds: Path, load: Any
) -> None:
    text = (birds / file).read_text()
    if "attributes" in file:
        changed = "nan " + text.split(" ", 1)[1]
    else:
        lines = text.splitlines()
        changed = "\n".join([*lines[:-1], lines[-1].replace(old, new)])
    assert changed != text
    (birds / file).write_text(changed)
    with pytest.raises(DataError, match=said):
        load("cub", size=8)


def test_a_class_without_images_is_a_sentence(birds: Path, load: Any) -> None:
    path = birds / "image_class_labels.txt"
    path.write_text(path.read_text().replace(" 3", " 4"))
    with pytest.raises(DataError, match=r"class 003\.Blue_Jay of cub has no image"):
        load("cub", size=8)
