"""ImageNet's layout, crops and what may be wrong with it, on a few small pictures."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.datasets import ImageFolder
from torchvision.transforms import CenterCrop, Compose, Resize
from torchvision.transforms import functional as F

from datasets import ilsvrc
from datasets.types import Access, DataError
from runner import cli

WNIDS = ("n01440764", "n01443537", "n02102040")
SMALL = {"size": 8, "resize": 10, "validation": 2}


def jpeg(seed: int, mode: str = "RGB") -> bytes:
    random = np.random.default_rng(seed)
    height, width = random.integers(12, 30, 2)
    pixels = random.integers(0, 256, (height // 3, width // 3, 3), dtype=np.uint8)
    image = Image.fromarray(pixels).resize((int(width), int(height))).convert(mode)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=95)
    return out.getvalue()


@pytest.fixture
def home(access: Access) -> Path:
    assert access.root is not None
    for p, part in enumerate(("train", "val")):
        for c, wnid in enumerate(reversed(WNIDS)):
            folder = access.root / "imagenet" / part / wnid
            folder.mkdir(parents=True)
            for n in range(4):
                mode = {0: "CMYK", 1: "L"}.get(n, "RGB")
                (folder / f"{wnid}_{n}.JPEG").write_bytes(jpeg(100 * p + 10 * c + n, mode))
    (access.root / "imagenet" / "val" / "readme.txt").write_text("not a class")
    return access.root / "imagenet"


def test_evaluation_and_labels_are_torchvisions(
    home: Path, load: Any, everything: Callable[[Any], Any]
) -> None:
    data = load("imagenet", **SMALL)
    assert data.classes == WNIDS
    assert data.shape == (3, 8, 8)
    assert (len(data.train), len(data.validation), len(data.test)) == (10, 2, 12)
    theirs = ImageFolder(str(home / "val"), Compose([Resize(10), CenterCrop(8)]))
    images, labels = everything(data.test)
    for number, our_image, our_label in zip(data.test.store.numbers, images, labels, strict=True):
        image, label = theirs[number]
        assert label == our_label
        np.testing.assert_array_equal(np.asarray(image).transpose(2, 0, 1), our_image.numpy())
    assert not data.in_memory


def test_the_classes_of_each_part_are_mixed(home: Path, load: Any, everything: Callable[[Any], Any]) -> None:
    """The files lie class by class, but the first images of a part are of all classes."""
    data = load("imagenet", **SMALL)
    for part in (data.train, data.test):
        labels = everything(part).labels.tolist()
        assert labels != sorted(labels)
        assert sorted(part.store.numbers) == sorted(set(part.store.numbers.tolist()))
    assert len(set(everything(load("imagenet", **SMALL, limit=6).test).labels.tolist())) > 1
    assert everything(load("imagenet", **SMALL).test).labels.tolist() == labels


def test_a_training_crop_is_torchvisions_of_the_same_box(
    home: Path, load: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    boxes: list[tuple[int, int, int, int]] = []
    drawn = ilsvrc.box_of

    def watched(*args: Any) -> Any:
        boxes.append(drawn(*args))
        return boxes[-1]

    monkeypatch.setattr(ilsvrc, "box_of", watched)
    data = load("imagenet", **SMALL, flip=False)
    boxes.clear()
    images = data.train.batch(torch.arange(len(data.train))).images
    store = data.train.store
    for image, box, number in zip(images, boxes, store.numbers, strict=True):
        left, top, right, bottom = box
        whole = Image.open(home / "train" / store.block.files.names[number]).convert("RGB")
        theirs = F.resized_crop(whole, top, left, bottom - top, right - left, [8, 8])
        np.testing.assert_array_equal(np.asarray(theirs).transpose(2, 0, 1), image.numpy())


def test_crops_are_drawn_as_torchvisions() -> None:
    """Their means over many draws: shares of the area, widths, heights, and the places' centres."""
    from torchvision.transforms import RandomResizedCrop

    torch.manual_seed(0)
    count, width, height = 4000, 50, 37
    ours = [ilsvrc.box_of(width, height, 0.08, d) for d in torch.rand(count, ilsvrc.TRIES, 4).tolist()]
    picture = torch.zeros(3, height, width)
    theirs = []
    for _ in range(count):
        top, left, h, w = RandomResizedCrop.get_params(picture, [0.08, 1.0], [3 / 4, 4 / 3])
        theirs.append((left, top, left + w, top + h))
    a, b = (np.array(boxes, float) for boxes in (ours, theirs))
    for measure in (
        lambda x: (x[:, 2] - x[:, 0]) * (x[:, 3] - x[:, 1]),
        lambda x: (x[:, 2] - x[:, 0]) / (x[:, 3] - x[:, 1]),
        lambda x: x[:, 0] + x[:, 2],
        lambda x: x[:, 1] + x[:, 3],
    ):
        x, y = measure(a), measure(b)
        assert abs(x.mean() - y.mean()) < 4 * np.hypot(x.std(), y.std()) / np.sqrt(count)
        assert 0.93 < x.std() / y.std() < 1.07


@pytest.mark.parametrize(("width", "height"), [(2000, 10), (10, 2000)])
def test_a_picture_too_long_for_any_crop_gives_its_centre(width: int, height: int) -> None:
    left, top, right, bottom = ilsvrc.box_of(width, height, 0.9, [[0.5, 0.5, 0.0, 0.0]] * ilsvrc.TRIES)
    assert 3 / 4 <= (right - left) / (bottom - top) <= 4 / 3
    assert abs(left - (width - right)) <= 1
    assert abs(top - (height - bottom)) <= 1


def test_a_seed_gives_its_crops_again_and_evaluation_has_none(home: Path, load: Any) -> None:
    data = load("imagenet", **SMALL)
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(data.train.batch(torch.tensor([3, 4])).images)
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    assert torch.equal(
        data.train.plain.batch(torch.tensor([3])).images, data.train.plain.batch(torch.tensor([3])).images
    )


def test_what_is_missing_is_one_sentence(
    access: Access, load: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"must be fetched by hand, from https://image-net.org/\S+, and unp"):
        load("imagenet")
    words = ["method=groupnorm", "dataset=imagenet", f"data.root={access.root}", f"outputs={tmp_path}/out"]
    assert cli.main([*words, f"data.cache={access.cache}"]) == 2
    said = capsys.readouterr().err.strip()
    assert "imagenet is not here" in said
    assert len(said.splitlines()) == 1


def test_what_is_half_there_is_named(home: Path, load: Any, everything: Callable[[Any], Any]) -> None:
    data = load("imagenet", **SMALL)
    (home / "train" / WNIDS[0] / f"{WNIDS[0]}_2.JPEG").write_bytes(b"\xff\xd8\xff no picture")
    with pytest.raises(DataError, match=f"{WNIDS[0]}_2.JPEG is damaged"):
        [everything(part) for part in (data.train, data.validation)]
    for path in (home / "val" / WNIDS[1]).iterdir():
        path.rename(path.with_suffix(".old"))
    with pytest.raises(DataError, match=f"val/{WNIDS[1]} holds no pictures"):
        load("imagenet", **SMALL)
    (home / "val" / WNIDS[1]).rename(home / "elsewhere")
    with pytest.raises(DataError, match=f"unlike classes, such as {WNIDS[1]}"):
        load("imagenet", **SMALL)
    (home / "val").rename(home / "other")
    with pytest.raises(DataError, match="has train/ but not both"):
        load("imagenet", **SMALL)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["dataset.in_memory=true"], "cut anew each time"),
        (["dataset.resize=100"], "dataset.resize=100 must be dataset.size=224 or more"),
        (["dataset.area=0"], "dataset.area=0.0 is out of range"),
    ],
)
def test_settings_that_make_no_sense_are_a_sentence(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["method=groupnorm", "dataset=imagenet", *words]) == 2
    assert said in capsys.readouterr().err
