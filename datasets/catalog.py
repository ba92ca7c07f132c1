"""Every data set by name. Importing this imports nothing heavy, so that names are checked at once."""

from __future__ import annotations

from datasets.config import (
    CubConfig,
    CurvesConfig,
    DescribedConfig,
    DigitsConfig,
    DistractorsConfig,
    EpisodesConfig,
    FolderConfig,
    HeldOutConfig,
    ImageConfig,
    ImagenetConfig,
    LinearConfig,
    SpritesConfig,
    StripsConfig,
    SvhnConfig,
)
from datasets.types import DatasetEntry


def _images(name: str, summary: str, config: type, load: str, fetched: bool = True) -> DatasetEntry:
    files = f"datasets.sources:{name}" if fetched else None
    return DatasetEntry(name, summary, config, f"datasets.{load}", ("images",), files)


def _episodes(name: str, summary: str, load: str, fetched: bool = True) -> DatasetEntry:
    files = f"datasets.sources:{name}" if fetched else None
    return DatasetEntry(name, summary, EpisodesConfig, f"datasets.{load}", ("episodes", "tasks"), files)


ENTRIES: tuple[DatasetEntry, ...] = (
    _images(
        "digits",
        "scikit-learn's digits, 8x8, 17 grey levels; needs no download",
        DigitsConfig,
        "digits:load",
        False,
    ),
    _images(
        "sprites",
        "four figures of known rotation, width and light, 28x28; needs no download",
        SpritesConfig,
        "sprites:load",
        False,
    ),
    _images(
        "digit_strips",
        "a digit between parts of two others, of known light and contrast, 32x32; needs no download",
        StripsConfig,
        "digit_strips:load",
        False,
    ),
    _images("mnist", "handwritten digits, 28x28", HeldOutConfig, "idx:mnist"),
    _images("fashion_mnist", "clothes, 28x28", HeldOutConfig, "idx:fashion_mnist"),
    _images("cifar10", "natural images in 10 classes, 32x32", HeldOutConfig, "cifar:cifar10"),
    _images("cifar100", "natural images in 100 classes, 32x32", HeldOutConfig, "cifar:cifar100"),
    _images("svhn", "house numbers, 32x32", SvhnConfig, "svhn:load"),
    _images(
        "celeba", "faces, cropped and resized to 64x64; files fetched by hand", ImageConfig, "celeba:load"
    ),
    _images(
        "imagenet",
        "natural images in 1000 classes, 224x224 crops; laid out by hand",
        ImagenetConfig,
        "ilsvrc:load",
        False,
    ),
    _images(
        "imagenet32",
        "small ImageNet of the PixelRNN and Real NVP papers, 32x32",
        HeldOutConfig,
        "imagenet:load32",
    ),
    _images(
        "imagenet64",
        "small ImageNet of the PixelRNN and Real NVP papers, 64x64",
        HeldOutConfig,
        "imagenet:load64",
    ),
    _images("imagenet32_npz", "downsampled ImageNet of 2017, 32x32", HeldOutConfig, "imagenet_npz:load32"),
    _images("imagenet64_npz", "downsampled ImageNet of 2017, 64x64", HeldOutConfig, "imagenet_npz:load64"),
    _images("lsun_bedroom", "LSUN bedrooms, 64x64 crops", HeldOutConfig, "lsun:bedroom"),
    _images("lsun_tower", "LSUN towers, 64x64 crops", HeldOutConfig, "lsun:tower"),
    _images("lsun_church", "LSUN churches from outside, 64x64 crops", HeldOutConfig, "lsun:church"),
    _images(
        "image_folder", "your own pictures, in folders or a zip", FolderConfig, "image_folder:load", False
    ),
    _episodes(
        "omniglot", "1623 handwritten characters, 20 drawings each, for few-shot learning", "omniglot:load"
    ),
    _episodes("omniglot_small", "242 of Omniglot's characters, from 8 alphabets", "omniglot:load_small"),
    _episodes(
        "glyphs", "letters of fifteen scripts, 20 drawings each; needs no download", "glyphs.load:load", False
    ),
    _episodes(
        "miniimagenet",
        "natural images in 100 classes, 84x84, for few-shot learning; laid out by hand",
        "miniimagenet:load",
        False,
    ),
    DatasetEntry(
        "cub",
        "birds of 200 species with attributes, for few-shot and zero-shot learning; laid out by hand",
        CubConfig,
        "datasets.cub:load",
        ("episodes", "tasks"),
    ),
    DatasetEntry(
        "distractors",
        "vectors whose classes differ in a few numbers of many; needs no download",
        DistractorsConfig,
        "datasets.vectors:distractors",
        ("episodes", "tasks"),
    ),
    DatasetEntry(
        "described",
        "vectors of classes that are known by attributes; needs no download",
        DescribedConfig,
        "datasets.vectors:described",
        ("episodes", "tasks"),
    ),
    DatasetEntry(
        "sinusoid",
        "sine curves, to be learned from a few points; needs no download",
        CurvesConfig,
        "datasets.curves:sinusoid",
        ("tasks",),
    ),
    DatasetEntry(
        "quadratic",
        "linear regressions, whose exact answers are known; needs no download",
        LinearConfig,
        "datasets.curves:linear",
        ("tasks",),
    ),
)
