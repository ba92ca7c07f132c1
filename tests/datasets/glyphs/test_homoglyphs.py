"""Letters that look alike: the correlation, the chains, and that none is left in the shipped file."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from datasets.glyphs import homoglyphs
from datasets.glyphs.homoglyphs import alike, correlation, first_of
from datasets.glyphs.read import SPLIT, Glyphs
from datasets.glyphs.render import FACES, render, stretched


def standardised(images: np.ndarray) -> np.ndarray:
    """float32 `[N, D]` whose products are correlations, by another way than the one that is tested."""
    flat = images.reshape(len(images), -1).astype(np.float64)
    flat -= flat.mean(1, keepdims=True)
    return (flat / np.linalg.norm(flat, axis=1, keepdims=True)).astype(np.float32)


def part_of_bitmaps(glyphs: Glyphs) -> np.ndarray:
    parts = {script: part for part, scripts in SPLIT.items() for script in scripts}
    return np.array([parts[script] for script in glyphs.scripts])[glyphs.labels]


def highest(images: np.ndarray, parts: np.ndarray) -> float:
    """The highest correlation of two images of different parts."""
    flat = {part: standardised(images[parts == part]) for part in SPLIT}
    pairs = (("train", "validation"), ("train", "test"), ("validation", "test"))
    return max(float((flat[one] @ flat[other].T).max()) for one, other in pairs)


def test_the_correlation_is_pearsons() -> None:
    rng = np.random.default_rng(0)
    one, other = (rng.integers(0, 16, (count, 784), dtype=np.uint8) for count in (5, 7))
    theirs = np.corrcoef(one, other)[:5, 5:]
    assert np.allclose(correlation(one, other), theirs, rtol=0, atol=1e-14)


@pytest.mark.parametrize("density", [0.0, 0.02, 0.05, 0.5])
def test_chains_are_connected_components(density: float) -> None:
    drawn = np.random.default_rng(1).random((60, 60)) < density
    related = drawn | drawn.T
    groups = connected_components(csr_matrix(related), directed=False)[1]
    first = first_of(related)
    assert [groups[number] for number in first] == groups.tolist()
    assert all(number == np.flatnonzero(groups == groups[number])[0] for number in first)


@pytest.mark.parametrize("block", [1, 3, 8, 100])
def test_classes_are_alike_where_any_two_of_their_bitmaps_are(
    monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(homoglyphs, "BLOCK", block)
    monkeypatch.setattr(homoglyphs, "ALIKE", 0.3)
    levels = np.random.default_rng(2).integers(0, 16, (20, 30), dtype=np.uint8)
    labels = np.sort(np.concatenate([np.arange(8), np.random.default_rng(3).integers(0, 8, 12)]))
    found = alike(levels, labels)
    above = np.corrcoef(levels) > 0.3
    for one in range(8):
        for other in range(8):
            assert found[one, other] == above[np.ix_(labels == one, labels == other)].any()
    assert 8 < found.sum() < 64


def test_no_bitmap_of_one_part_is_like_one_of_another(glyphs: Glyphs) -> None:
    assert 0.9 < highest(glyphs.bitmaps, part_of_bitmaps(glyphs)) <= 0.97


@pytest.mark.parametrize("faces", [{"DejaVuSans", "DejaVuSans-Bold"}, {"DejaVuSans", "DejaVuSerif-Bold"}])
def test_no_stretched_letter_of_one_part_is_like_one_of_another(glyphs: Glyphs, faces: set[str]) -> None:
    chosen = np.isin(glyphs.faces, [FACES.index(face) for face in faces])
    letters = [
        stretched(render(glyphs.names[label][-1], FACES[face]))
        for label, face in zip(glyphs.labels[chosen], glyphs.faces[chosen], strict=True)
    ]
    assert 0.9 < highest(np.array(letters), part_of_bitmaps(glyphs)[chosen]) <= 0.97


def test_known_homoglyphs_are_one_class(glyphs: Glyphs) -> None:
    alike = ["Latin/A", "Greek/Α", "Cyrillic/А", "Lisu/ꓮ"], ["Latin/O", "Latin/o", "Armenian/Օ", "Tifinagh/ⵔ"]
    for names in alike:
        assert [name in glyphs.names for name in names] == [True, False, False, False]
