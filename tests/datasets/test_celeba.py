"""CelebA, written here in miniature: pictures, parts and attributes."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from datasets import fetch, sources
from datasets.catalog import ENTRIES
from datasets.celeba import ATTRIBUTES, read_attributes
from datasets.types import Access, DataError

NAMES = [f"Attribute_{k}" for k in range(ATTRIBUTES)]


def jpeg(seed: int) -> bytes:
    """A picture without noise, of the aligned ones' size."""
    small = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(small).resize((178, 218), Image.Resampling.BICUBIC).save(out, "JPEG")
    return out.getvalue()


def write_celeba(folder: Path, count: int = 12) -> dict[str, bytes]:
    folder.mkdir(parents=True)
    pictures = {f"{n:06d}.jpg": jpeg(n) for n in range(1, count + 1)}
    with zipfile.ZipFile(folder / "img_align_celeba.zip", "w") as archive:
        for name, data in pictures.items():
            archive.writestr(f"img_align_celeba/{name}", data)
    lines = [f"{name} {n * 3 // count}" for n, name in enumerate(pictures)]
    (folder / "list_eval_partition.txt").write_text("\n".join(lines) + "\n")
    return pictures


@pytest.mark.parametrize("in_memory", [True, False])
def test_celeba_is_cut_resized_and_parted_officially(
    load: Any, access: Access, publish: Any, everything: Any, in_memory: bool
) -> None:
    pictures = write_celeba(access.root / "celeba")
    publish("celeba")
    data = load("celeba", flip=False, in_memory=in_memory)
    assert (data.shape, data.classes, data.in_memory) == ((3, 64, 64), ("face",), in_memory)
    expected = []
    for jpeg in pictures.values():
        pixels = np.asarray(Image.open(io.BytesIO(jpeg)))[40:188, 15:163]
        expected.append(np.asarray(Image.fromarray(pixels).resize((64, 64), Image.Resampling.BILINEAR)))
    ours = torch.cat([everything(part).images for part in (data.train, data.validation, data.test)])
    assert np.array_equal(ours.numpy(), np.stack(expected).transpose(0, 3, 1, 2))
    assert [len(data.train), len(data.validation), len(data.test)] == [4, 4, 4]


def test_celeba_without_a_size_is_148_and_lacking_pictures_are_named(
    load: Any, access: Access, publish: Any
) -> None:
    write_celeba(access.root / "celeba")
    publish("celeba")
    assert load("celeba", size=None).shape == (3, 148, 148)
    (access.root / "celeba" / "list_eval_partition.txt").write_text(
        "000099.jpg 0\n000001.jpg 1\n000002.jpg 2\n"
    )
    publish("celeba")
    with pytest.raises(DataError, match=r"lacks 000099\.jpg"):
        load("celeba")
    (access.root / "celeba" / "list_eval_partition.txt").write_text("000001.jpg nine\n")
    publish("celeba")
    with pytest.raises(DataError, match="list_eval_partition"):
        load("celeba")


def write_attributes(folder: Path, count: int = 12, **lines: str) -> np.ndarray:
    """bool `[count, ATTRIBUTES]`, written as the official ones are; `lines`, by number, are put instead."""
    truth = np.random.default_rng(7).integers(0, 2, (count, ATTRIBUTES)).astype(bool)
    rows = [" ".join(f"{2 * int(value) - 1:2d}" for value in row) for row in truth]
    text = [str(count), " ".join(NAMES) + " ", *(f"{n:06d}.jpg {row}" for n, row in enumerate(rows, 1))]
    for number, line in lines.items():
        text[int(number.removeprefix("line")) - 1] = line
    (folder / "list_attr_celeba.txt").write_text("\n".join(text) + "\n")
    return truth


def test_attributes_are_factors_of_their_own_pictures(load: Any, access: Access, publish: Any) -> None:
    folder = access.root / "celeba"
    write_celeba(folder)
    publish("celeba")
    without = load("celeba")
    assert (without.factors, without.train.factors) == ((), None)
    truth = write_attributes(folder)
    publish("celeba")
    data = load("celeba", flip=True)
    assert data.factors == tuple(NAMES)
    assert all(factor.values == ("no", "yes") for factor in data.known)
    assert data.checksum != without.checksum
    for k, part in enumerate((data.train, data.validation, data.test)):
        assert torch.equal(part.factors, torch.from_numpy(truth[4 * k : 4 * k + 4]).float())
    few = load("celeba", limit=2)
    assert torch.equal(few.test.factors, torch.from_numpy(truth[8:10]).float())


def hold_official(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is published until now is official; of the table of attributes, that which truly is."""
    files = sources.celeba(None)
    monkeypatch.setattr(sources, "celeba", lambda config: files)


def test_attributes_need_not_be_there_to_fetch_and_verify(
    access: Access, publish: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = access.root / "celeba"
    write_celeba(folder)
    publish("celeba")
    hold_official(monkeypatch)
    entry, config = next(entry for entry in ENTRIES if entry.name == "celeba"), settings("celeba")
    fetch.refuse_missing(entry, config, access)
    assert [path.name for path in fetch.fetch(entry, config, access)] == [
        "img_align_celeba.zip",
        "list_eval_partition.txt",
    ]
    write_attributes(folder)
    found = dict(fetch.verify(entry, config, access))
    assert found["list_attr_celeba.txt"].startswith("wrong"), "it is not the official one"


def test_another_table_than_the_official_one_is_refused(
    load: Any, access: Access, publish: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_celeba(access.root / "celeba")
    publish("celeba")
    hold_official(monkeypatch)
    write_attributes(access.root / "celeba")
    with pytest.raises(DataError, match=r"list_attr_celeba\.txt is not the official file"):
        load("celeba")


def row(value: str = "1", count: int = ATTRIBUTES, name: str = "000003.jpg") -> str:
    return " ".join([name, *["-1"] * (count - 1), value])


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ({"line1": "twelve"}, "line 1: it is 'twelve', not the number of pictures"),
        ({"line1": "13"}, "line 1: it promises 13 pictures, but 12 lines follow"),
        ({"line2": " ".join(NAMES[1:])}, "line 2: it has 39 different attributes, not 40"),
        ({"line2": " ".join([*NAMES[1:], NAMES[1]])}, "line 2: it has 39 different attributes, not 40"),
        ({"line5": row("0")}, "line 5: the value 0 is neither 1 nor -1"),
        ({"line5": row(count=39)}, "line 5: it has 39 values, not 40"),
        ({"line5": ""}, "line 5: it has 0 values, not 40"),
        ({"line5": row(name="000002.jpg")}, r"line 5: 000002\.jpg has a line before"),
        ({"line5": row(name="000099.jpg")}, r"line 5: there is no picture 000099\.jpg"),
    ],
)
def test_what_is_wrong_with_a_table_is_a_sentence_with_its_line(
    lines: dict[str, str], said: str, load: Any, access: Access, publish: Any
) -> None:
    write_celeba(access.root / "celeba")
    write_attributes(access.root / "celeba", **lines)
    publish("celeba")
    with pytest.raises(DataError, match=rf"list_attr_celeba\.txt, {said}$"):
        load("celeba")


def test_a_picture_without_a_line_is_named(load: Any, access: Access, publish: Any) -> None:
    write_celeba(access.root / "celeba")
    write_attributes(access.root / "celeba", count=11)
    publish("celeba")
    with pytest.raises(DataError, match=r"has no line for the picture 000012\.jpg, up to line 13"):
        load("celeba")


def test_a_file_without_lines(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("")
    with pytest.raises(DataError, match=r"empty\.txt, line 1"):
        read_attributes(tmp_path / "empty.txt")
