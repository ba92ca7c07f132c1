"""Twenty drawings of each class: always the same bytes, all different, neither trivial nor hopeless."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from scipy import ndimage

from datasets.glyphs import jitter
from datasets.glyphs.jitter import PIXEL, between, drawings, places, sample, thicken
from datasets.glyphs.read import Glyphs

NUMBERS = np.random.default_rng(0).integers(0, 1 << 24, (6, 78))


def test_the_drawings_never_change_by_themselves(drawn: np.ndarray) -> None:
    assert (drawn.shape, drawn.dtype) == ((1317, 20, 28, 28), np.uint8)
    digest = hashlib.sha256(drawn.tobytes()).hexdigest()
    assert digest == "adc35635c90cc362e250bfa57e0d44c6a1ce42fabe40f007c2fadb533a54c27f"


def test_every_class_has_twenty_different_drawings(drawn: np.ndarray) -> None:
    assert all(len({image.tobytes() for image in images}) == 20 for images in drawn)
    # The faintest drawing still has ink of half the range.
    assert drawn.max((2, 3)).min() > 127


def test_the_first_drawing_is_the_bitmap_of_the_first_face(glyphs: Glyphs, drawn: np.ndarray) -> None:
    first = [int(np.flatnonzero(glyphs.labels == label)[0]) for label in range(len(glyphs.names))]
    assert np.array_equal(drawn[:, 0], glyphs.bitmaps[first])


def test_a_drawing_is_most_like_the_face_that_it_is_made_of(glyphs: Glyphs, drawn: np.ndarray) -> None:
    # Ink tells regular from bold faces, whatever else was changed.
    faces = glyphs.bitmaps[glyphs.labels == glyphs.names.index("Hebrew/ש")].mean((1, 2))
    ink = drawn[glyphs.names.index("Hebrew/ש")].mean((1, 2))
    assert faces[1] > 1.2 * faces[0]
    assert ink[1::4].mean() > 1.2 * ink[0::4].mean()


@pytest.mark.parametrize("block", [7, 5000])
def test_drawings_do_not_depend_on_how_many_are_made_at_a_time(
    glyphs: Glyphs, drawn: np.ndarray, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(jitter, "BLOCK", block)
    held = glyphs.labels < 40
    few = Glyphs(
        glyphs.bitmaps[held],
        glyphs.labels[held],
        glyphs.faces[held],
        (),
        glyphs.names[:40],
        glyphs.scripts[:40],
    )
    assert np.array_equal(drawings(few), drawn[:40])


def test_numbers_are_spread_evenly_over_a_range() -> None:
    spread = between(np.arange(1 << 24), -3, 5)
    assert np.array_equal(np.unique(spread), np.arange(-3, 6))
    assert np.ptp(np.bincount(spread + 3)) <= 1


def test_places_are_what_whole_numbers_of_any_length_give() -> None:
    affine, splines = jitter._affine(NUMBERS[:, :6]).tolist(), jitter._splines().tolist()
    bends = between(NUMBERS[:, 6:].reshape(-1, 2, 6, 6), -jitter.BEND, jitter.BEND).tolist()
    ours = places(NUMBERS)
    for image, axis, row, column in [(0, 0, 0, 0), (3, 1, 27, 5), (5, 0, 13, 14), (2, 1, 8, 27)]:
        by_row, by_column, shift = affine[image][axis]
        twice = by_row * (2 * row - 27) + by_column * (2 * column - 27) + 2 * shift + 27 * PIXEL
        bent = sum(
            bends[image][axis][i][j] * splines[i][row] * splines[j][column]
            for i in range(6)
            for j in range(6)
        )
        assert ours[image, axis, row * 28 + column] == int((twice + 2 * bent) / 2)


def test_splines_sum_to_one_and_are_scipys() -> None:
    from scipy.interpolate import BSpline

    ours = jitter._splines() / 128
    assert np.array_equal(ours.sum(0), np.ones(28))
    for knot in range(6):
        spline = BSpline.basis_element(np.arange(knot - 2, knot + 2) * 8.0, extrapolate=False)
        assert np.allclose(ours[knot], np.nan_to_num(spline(np.arange(28.0))), rtol=0, atol=1e-12)


def test_sampling_at_the_pixels_changes_nothing_and_a_pixel_beside_them_shifts(glyphs: Glyphs) -> None:
    images = glyphs.bitmaps[:5]
    still = np.indices((28, 28)).reshape(1, 2, 784).repeat(5, 0).astype(np.int32) * PIXEL
    assert np.array_equal(sample(images, still), images)
    down = still + np.array([PIXEL, 0], np.int32)[:, None]
    assert np.array_equal(sample(images, down)[:, :-1], images[:, 1:])
    assert not sample(images, still + 40 * PIXEL).any()
    assert not sample(images, still - 40 * PIXEL).any()


def test_sampling_is_scipys_to_a_64th_of_a_pixel() -> None:
    images = np.random.default_rng(1).integers(0, 256, (6, 28, 28), dtype=np.uint8)
    where = places(NUMBERS)
    rounded = (where >> 16) / 64
    for image, ours, place in zip(images, sample(images, where), rounded, strict=True):
        wide = np.pad(image.astype(np.float64), 4)
        theirs = ndimage.map_coordinates(wide, place.reshape(2, 28, 28) + 4, order=1, cval=0)
        assert np.abs(ours - theirs).max() <= 0.5


@pytest.mark.parametrize(("steps", "change"), [(16, ndimage.grey_dilation), (-16, ndimage.grey_erosion)])
def test_thick_and_thin_are_scipys_dilation_and_erosion(steps: int, change: object) -> None:
    images = np.random.default_rng(2).integers(0, 256, (3, 28, 28), dtype=np.uint8)
    cross = np.array([[[0, 1, 0], [1, 1, 1], [0, 1, 0]]])
    theirs = change(images, footprint=cross, mode="constant", cval=0)  # type: ignore[operator]
    ours = thicken(images, np.full(3, steps))
    assert np.array_equal(ours, theirs)
    half = thicken(images, np.full(3, steps // 2)).astype(int)
    assert np.array_equal(half, images + ((theirs.astype(int) - images) >> 1))
    assert np.array_equal(thicken(images, np.zeros(3, np.int64)), images)


def test_pixels_alone_tell_unseen_letters_apart_about_half_the_time(
    glyphs: Glyphs, drawn: np.ndarray
) -> None:
    # Five classes, one drawing of each known: 52.2 +- 0.6 % over 1000 episodes, and a fifth by chance.
    rng = np.random.default_rng(0)
    images = drawn[glyphs.classes("test")].reshape(316, 20, -1).astype(np.float32) / 255
    hits = []
    for _ in range(300):
        chosen = images[rng.choice(316, 5, replace=False)][:, rng.permutation(20)[:16]]
        known, asked = chosen[:, 0], chosen[:, 1:].reshape(75, -1)
        nearest = (np.square(known).sum(1) - 2 * asked @ known.T).argmin(1)
        hits.append((nearest == np.arange(5).repeat(15)).mean())
    assert 0.45 < np.mean(hits) < 0.6
