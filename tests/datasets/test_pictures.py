"""Decoding: every kind of picture, sizes and crops against torchvision, damage in one sentence."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from torchvision.transforms import functional

from datasets import pictures
from datasets.pictures import Recipe, decode, quantise
from datasets.types import DataError

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (12, 17, 3), dtype=np.uint8)


def packed(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def test_colour_is_read_exactly() -> None:
    pixels = decode(packed(Image.fromarray(COLOUR)), "x.png", Recipe())
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, COLOUR.transpose(2, 0, 1))
    assert pixels.flags.c_contiguous


def test_transparent_pictures_lose_their_alpha_and_keep_their_colours() -> None:
    alpha = np.concatenate([COLOUR, RNG.integers(0, 256, (12, 17, 1), dtype=np.uint8)], 2)
    assert np.array_equal(decode(packed(Image.fromarray(alpha)), "x", Recipe()), COLOUR.transpose(2, 0, 1))


def test_palettes_with_transparency() -> None:
    image = Image.fromarray(COLOUR).quantize(16)
    expected = np.asarray(image.convert("RGB")).transpose(2, 0, 1)
    assert np.array_equal(decode(packed(image, transparency=3), "x", Recipe()), expected)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P"])
def test_few_channels_become_three(mode: str) -> None:
    image = Image.fromarray(COLOUR).convert(mode)
    expected = np.asarray(image.convert("RGB")).transpose(2, 0, 1)
    assert np.array_equal(decode(packed(image), "x", Recipe()), expected)


def test_cmyk_jpeg_becomes_rgb() -> None:
    data = packed(Image.fromarray(COLOUR).convert("CMYK"), "JPEG", quality=95)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).transpose(2, 0, 1)
    assert np.array_equal(decode(data, "x", Recipe()), expected)


def test_sixteen_bits_keep_their_upper_byte() -> None:
    deep = RNG.integers(0, 65536, (5, 6), dtype=np.uint16)
    data = packed(Image.fromarray(deep))
    assert np.array_equal(decode(data, "x", Recipe(channels=1))[0], (deep >> 8).astype(np.uint8))
    assert np.array_equal(decode(data, "x", Recipe())[2], (deep >> 8).astype(np.uint8))


def test_grey_is_pillows_luma() -> None:
    expected = np.asarray(Image.fromarray(COLOUR).convert("L"))[None]
    assert np.array_equal(decode(packed(Image.fromarray(COLOUR)), "x", Recipe(channels=1)), expected)


@pytest.mark.parametrize("shape", [(40, 61, 3), (61, 40, 3), (33, 33, 3), (9, 300, 3)])
@pytest.mark.parametrize("side", [8, 31, 48])
def test_short_side_and_centre_square_are_torchvisions(shape: tuple[int, int, int], side: int) -> None:
    image = Image.fromarray(RNG.integers(0, 256, shape, dtype=np.uint8))
    expected = functional.center_crop(functional.resize(image, side), [side, side])
    pixels = decode(packed(image), "x", Recipe(short=side, square=True))
    assert np.array_equal(pixels, np.asarray(expected).transpose(2, 0, 1))


def test_a_box_is_cut_out_first() -> None:
    image = Image.fromarray(COLOUR)
    pixels = decode(packed(image), "x", Recipe(box=(2, 1, 12, 11)))
    assert np.array_equal(pixels, COLOUR[1:11, 2:12].transpose(2, 0, 1))
    with pytest.raises(DataError, match=r"x\.png.*too few"):
        decode(packed(image), "x.png", Recipe(box=(2, 1, 30, 11)))


def test_a_cameras_orientation_is_obeyed_on_request() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    data = packed(Image.fromarray(COLOUR), exif=exif)
    turned = np.rot90(COLOUR, -1).transpose(2, 0, 1)
    assert np.array_equal(decode(data, "x", Recipe(upright=True)), turned)
    assert np.array_equal(decode(data, "x", Recipe()), COLOUR.transpose(2, 0, 1))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_damage_is_one_sentence_that_names_the_file(kind: str) -> None:
    data = packed(Image.fromarray(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)), kind)
    assert decode(data, "x", Recipe()).shape == (3, 64, 64)
    for broken in (data[: len(data) // 2], b"", b"no picture at all", data[:20]):
        with pytest.raises(DataError, match="some/where") as caught:
            decode(broken, "some/where", Recipe())
        assert "BytesIO" not in str(caught.value)


def test_only_listed_formats_are_read_because_some_start_other_programs() -> None:
    for kind in ("EPS", "PCX"):
        with pytest.raises(DataError):
            decode(packed(Image.fromarray(COLOUR), kind), "x.eps", Recipe())


def test_a_decompression_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MOST_PIXELS", 200)
    with pytest.raises(DataError, match="17x12 pixels"):
        decode(packed(Image.fromarray(COLOUR)), "x", Recipe())
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)  # Pillow's own bound comes first
    with pytest.raises(DataError, match="x has more than 200 pixels"):
        decode(packed(Image.fromarray(COLOUR)), "x", Recipe())


@pytest.mark.parametrize(("native", "levels"), [(256, 2), (256, 3), (256, 32), (256, 256), (17, 4), (17, 17)])
def test_quantising_spreads_the_native_levels_evenly(native: int, levels: int) -> None:
    values = np.arange(native, dtype=np.uint8)
    out = quantise(values, native, levels)
    assert out.dtype == np.uint8
    assert sorted(set(out.tolist())) == list(range(levels))
    assert np.all(np.diff(out.astype(int)) >= 0)
    counts = np.bincount(out)
    assert counts.max() - counts.min() <= 1
    if native == 256 and levels == 32:
        assert np.array_equal(out, values >> 3)
