"""Settings of the image data sets, without anything heavy; the values live in `conf/dataset/*.yaml`."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class ImageConfig:
    """What every image data set can be asked for."""

    batch_size: int = field(metadata={"help": "images per batch", "min": 1, "max": 65536})
    size: int | None = field(
        metadata={"help": "side in pixels; null keeps the native one", "min": 2, "max": 8192}
    )
    classes: tuple[str, ...] | tuple[int, ...] | None = field(
        metadata={
            "help": "classes to keep, by name or number, in the order of their new labels; null keeps all"
        }
    )
    in_memory: Literal["auto", True, False] = field(
        metadata={"help": "hold the decoded images in memory; auto decides by their size"}
    )
    limit: int | None = field(metadata={"help": "at most this many images in each part", "min": 1})
    flip: bool = field(metadata={"help": "flip training images left to right with probability 1/2"})
    crop: int = field(
        metadata={
            "help": "zero padding of random crops in training, in pixels; 0 is off",
            "min": 0,
            "max": 1024,
        }
    )
    levels: int = field(
        metadata={"help": "grey levels that the images are quantised to", "min": 2, "max": 256}
    )


@dataclass(frozen=True)
class HeldOutConfig(ImageConfig):
    """A data set without an official validation part: some training images are held out as one."""

    validation: int = field(
        metadata={"help": "images of the training part held out for validation", "min": 1}
    )


@dataclass(frozen=True)
class ImagenetConfig(HeldOutConfig):
    """ImageNet's pictures, of which squares are cut."""

    size: int = field(metadata={"help": "side of the square that is cut, in pixels", "min": 2, "max": 8192})
    resize: int = field(
        metadata={"help": "short side of a picture in evaluation, before its centre is cut", "min": 2}
    )
    area: float = field(
        metadata={"help": "least share of a picture's area that a training crop takes", "above": 0, "max": 1}
    )

    def __post_init__(self) -> None:
        if self.resize < self.size:
            raise ValueError(f"dataset.resize={self.resize} must be dataset.size={self.size} or more")
        if self.in_memory is True:
            raise ValueError("dataset.in_memory=true: a training crop is cut anew each time, from the file")


@dataclass(frozen=True)
class DigitsConfig(ImageConfig):
    """scikit-learn's digits, which have 17 grey levels and a fixed split."""

    levels: int = field(
        metadata={"help": "grey levels that the images are quantised to", "min": 2, "max": 17}
    )


@dataclass(frozen=True)
class SpritesConfig(ImageConfig):
    """Figures that are drawn, with known factors."""

    size: int = field(metadata={"help": "side in pixels", "min": 16, "max": 64})


@dataclass(frozen=True)
class StripsConfig(SpritesConfig):
    """Digits between parts of two others, with known factors."""

    source: Literal["digits", "mnist", "fashion_mnist"] = field(
        metadata={"help": "the data set whose images are put side by side"}
    )


@dataclass(frozen=True)
class SvhnConfig(HeldOutConfig):
    """Street View House Numbers."""

    extra: bool = field(metadata={"help": "add the 531131 easier extra images to the training part"})


@dataclass(frozen=True)
class FolderConfig(ImageConfig):
    """A person's own pictures."""

    path: str | None = field(metadata={"help": "folder or zip file of the pictures"})
    validation: int | None = field(
        metadata={
            "help": "images of train/ held out where there is no validation/; null: by dataset.split",
            "min": 1,
        }
    )
    grey: bool = field(metadata={"help": "one grey channel instead of three colours"})
    split: tuple[float, ...] = field(
        metadata={
            "help": "shares of train, validation and test where no such sub-folders exist",
            "above": 0.0,
        }
    )

    def __post_init__(self) -> None:
        if (
            len(self.split) != 3
            or min(self.split) <= 0
            or not math.isclose(sum(self.split), 1.0, abs_tol=1e-6)
        ):
            raise ValueError(
                f"dataset.split must be three positive shares that sum to 1, not {list(self.split)}"
            )


@dataclass(frozen=True)
class EpisodesConfig:
    """What every few-shot data set of drawings can be asked for."""

    batch_size: int = field(metadata={"help": "episodes per batch", "min": 1, "max": 65536})
    size: int = field(metadata={"help": "side in pixels", "min": 4, "max": 1024})
    rotations: bool = field(metadata={"help": "quarter turns of a class are classes of their own"})
    limit: int | None = field(
        metadata={"help": "at most this many classes in each part, before they turn", "min": 1}
    )
    train: tuple[str, ...] | None = field(
        metadata={"help": "groups or classes to train on; null = the others"}
    )
    validation: tuple[str, ...] | None = field(metadata={"help": "those to validate on; null = the others"})
    test: tuple[str, ...] | None = field(metadata={"help": "those to test on; null = the others"})


@dataclass(frozen=True)
class CurvesConfig:
    """Regression tasks that are drawn, of any number."""

    batch_size: int = field(metadata={"help": "tasks per batch", "min": 1, "max": 65536})
    limit: int | None = field(metadata={"help": "at most this many tasks in each part", "min": 1})
    noise: float = field(metadata={"help": "deviation of the noise of the answers", "min": 0})


@dataclass(frozen=True)
class LinearConfig(CurvesConfig):
    """Linear regressions."""

    inputs: int = field(metadata={"help": "numbers in an input", "min": 1, "max": 4096})
    condition: float = field(metadata={"help": "largest over smallest variance of the inputs", "min": 1})


@dataclass(frozen=True)
class VectorsConfig:
    """Classes of vectors that are drawn."""

    batch_size: int = field(metadata={"help": "episodes per batch", "min": 1, "max": 65536})
    classes: tuple[int, ...] = field(
        metadata={"help": "classes of the train, validation and test parts", "min": 2}
    )
    images: int = field(metadata={"help": "vectors of each class", "min": 2})

    def __post_init__(self) -> None:
        if len(self.classes) != 3:
            raise ValueError(f"dataset.classes has three numbers, not {len(self.classes)}")


@dataclass(frozen=True)
class DistractorsConfig(VectorsConfig):
    """Classes that differ in a few numbers of many."""

    useful: int = field(metadata={"help": "numbers in which classes differ", "min": 1})
    irrelevant: int = field(metadata={"help": "numbers in which they do not", "min": 0})
    spread: float = field(
        metadata={"help": "deviation of the classes' means in each useful number", "above": 0}
    )


@dataclass(frozen=True)
class DescribedConfig(VectorsConfig):
    """Classes that are known by attributes."""

    attributes: int = field(metadata={"help": "attributes of a class", "min": 1})
    features: int = field(metadata={"help": "numbers of a vector", "min": 1})
    noise: float = field(metadata={"help": "deviation of vectors around what the attributes give", "min": 0})


@dataclass(frozen=True)
class CubConfig(EpisodesConfig):
    """Birds, as images or as vectors of features."""

    features: str | None = field(
        metadata={"help": "file of vectors in the place of images, in the order of images.txt"}
    )
