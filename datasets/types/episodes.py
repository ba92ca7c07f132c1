"""Episodes of few-shot learning: some classes, of each a few images to learn from and a few to ask about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


class Episode(NamedTuple):
    """M episodes of one size; their images uint8 `[M, S, C, H, W]` and `[M, Q, C, H, W]`, or vectors float32
    `[M, S, D]` and `[M, Q, D]`.

    Labels int64 `[M, S]` and `[M, Q]` are places in the episode's own list of classes, `[0, way)`; images of
    one class lie side by side. Which classes of the part these are stands in `classes`, int64 `[M, way]`.
    """

    support: Tensor
    support_labels: Tensor
    query: Tensor
    query_labels: Tensor
    classes: Tensor


class ClassSplit:
    """A part of a data set as classes, in which each class's images are neighbours.

    Arguments:
        images: all images of the part, class by class: uint8 `[N, C, H, W]`, or vectors float32 `[N, D]`.
        counts: images of each class, int64 `[K]`, at least 1.
        names: of the classes.
        groups: what each class belongs to, such as an alphabet.
        attributes: what is known of each class without an image, float32 `[K, A]`; None for nothing.
    """

    def __init__(
        self,
        images: Tensor,
        counts: np.ndarray,
        names: Sequence[str],
        groups: Sequence[str],
        attributes: Tensor | None = None,
    ) -> None:
        import numpy as np

        if not (len(counts) == len(names) == len(groups) and counts.sum() == len(images)):
            raise ValueError("counts, names and groups do not describe the images")
        if attributes is not None and len(attributes) != len(counts):
            raise ValueError(f"{len(attributes)} rows of attributes do not describe {len(counts)} classes")
        if (empty := np.flatnonzero(counts < 1)).size:
            raise ValueError(f"class {names[empty[0]]} has no image")
        self.images, self.counts, self.attributes = images, counts.astype(np.int64), attributes
        self.names, self.groups = tuple(names), tuple(groups)
        self.first = np.concatenate(([0], np.cumsum(self.counts)[:-1]))

    def __len__(self) -> int:
        """Number of classes."""
        return len(self.counts)


@dataclass(frozen=True)
class Episodes:
    """A data set for few-shot learning, whose parts have no class in common.

    Attributes:
        name: the data set's name.
        checksum: identifies the bytes and the split that were read (hexadecimal).
        shape: `(C, H, W)` of every image, or `(D,)` of every vector.
        levels: number of grey levels, pixel values being integers in `[0, levels)`; None for vectors.
        train, validation, test: the parts.
    """

    kind: ClassVar[str] = "episodes"

    name: str
    checksum: str
    shape: tuple[int, ...]
    levels: int | None
    train: ClassSplit
    validation: ClassSplit
    test: ClassSplit
    in_memory: bool = True

    def __post_init__(self) -> None:
        parts = ("train", "validation", "test")
        names = [name for part in parts for name in getattr(self, part).names]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"class {twice} is in two places of {self.name}")
        for part in parts:
            if tuple(getattr(self, part).images.shape[1:]) != tuple(self.shape):
                raise ValueError(f"the {part} part of {self.name} has images of another shape")


class EpisodeSampler:
    """Episodes by number: episode i is a function of the seed and i alone.

    Classes are drawn without repetition, and so are the images of a class, of which the first are support.

    Arguments:
        split: the part.
        way: classes of an episode.
        shot: support images of each class, 0 where the part has attributes; several numbers, one for each
            class, are given to the classes in a random order.
        query: query images of each class.
        seed: of the whole stream.
        episodes: how many there are, for `len`.
        keys: what errors call way, shot and query.

    Raises:
        ValueError: where the part has too few classes, a class too few images, or nothing tells what a class
            is.
    """

    def __init__(
        self,
        split: ClassSplit,
        way: int,
        shot: int | Sequence[int],
        query: int,
        seed: int,
        episodes: int,
        keys: tuple[str, str, str] = ("method.way", "method.shot", "method.query"),
    ) -> None:
        import numpy as np
        import torch

        shots = [shot] * way if isinstance(shot, int) else list(shot)
        if way > len(split):
            raise ValueError(f"{keys[0]} asks for {way} classes, and the part has {len(split)}")
        if shot == 0 and split.attributes is None:
            raise ValueError(
                f"{keys[1]}=0 takes classes that are described by attributes, which this data has not"
            )
        if len(shots) != way or (min(shots) < 1 and shot != 0) or query < 1:
            raise ValueError(
                f"{keys[1]}={shot} must be one number, or one for each of {way} classes, from 1 on"
            )
        least = int(split.counts.argmin())
        if split.counts[least] < max(shots) + query:
            raise ValueError(
                f"{keys[1]} and {keys[2]} ask for {max(shots)} + {query} images of a class, and "
                f"{split.names[least]} has {split.counts[least]}"
            )
        self.split, self.way, self.shots, self.query = split, way, np.array(shots), query
        self.seed, self.episodes = seed, episodes
        self._most, self._even = max(shots), len(set(shots)) == 1
        most = int(split.counts.max())
        self._beyond = None if split.counts[least] == most else np.arange(most)
        self._width = most
        self._philox = np.random.Philox(key=seed)
        self._generator = np.random.Generator(self._philox)
        places = torch.arange(way)
        self._labels, self._asked = places.repeat_interleave(self._most), places.repeat_interleave(query)

    def __len__(self) -> int:
        return self.episodes

    def _random(self, number: int) -> np.random.Generator:
        """The generator at the beginning of episode `number`, which has 2^64 blocks of its own.

        Philox is a function of a key and a counter (Salmon et al., SC 2011), so that setting the counter is
        all that it takes; a new generator for each episode was half of the time of a draw.
        """
        state = self._philox.state
        state["state"]["counter"][:] = (0, number, 0, 0)
        self._philox.state = {**state, "buffer_pos": 4, "has_uint32": 0}
        return self._generator

    def draw(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Classes `[way]`, the places of their images in the order drawn `[way, most images]`, of which the
        first are support and the next query, and the support images of each class `[way]`; all int64."""
        random = self._random(number)
        classes = random.choice(len(self.split), self.way, replace=False)
        keys = random.random((self.way, self._width))
        if self._beyond is not None:  # images that a class has not come last
            keys[self._beyond >= self.split.counts[classes][:, None]] = 2.0
        picked = keys.argsort(1, kind="stable") + self.split.first[classes][:, None]
        return classes, picked, self.shots if self._even else random.permutation(self.shots)

    def _drawn(self, indices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Places of support and query images `[M, S + Q]`, the support's labels `[M, S]` and classes
        `[M, way]`."""
        import numpy as np
        import torch

        rows, labels, classes = [], [], []
        for number in indices.tolist():
            chosen, picked, shots = self.draw(number)
            classes.append(chosen)
            if self._even:
                asked = picked[:, self._most : self._most + self.query]
                rows.append(np.concatenate((picked[:, : self._most].ravel(), asked.ravel())))
            else:
                given = picked[:, : self._most][np.arange(self._most) < shots[:, None]]
                asked = np.take_along_axis(picked, shots[:, None] + np.arange(self.query), 1)
                rows.append(np.concatenate((given, asked.ravel())))
                labels.append(np.arange(self.way).repeat(shots))
        known = torch.from_numpy(np.stack(labels)) if labels else self._labels.expand(len(rows), -1)
        return torch.from_numpy(np.stack(rows)), known, torch.from_numpy(np.stack(classes))

    def places(self, indices: Tensor) -> Episode:
        """The episodes with the numbers `indices` (int64 `[M]`), with places of images in the part, int64
        `[M, S]` and `[M, Q]`, instead of images."""
        both, labels, classes = self._drawn(indices)
        shots = labels.shape[1]
        return Episode(both[:, :shots], labels, both[:, shots:], self._asked.expand(len(both), -1), classes)

    def batch(self, indices: Tensor) -> Episode:
        """The episodes with the numbers `indices`, int64 `[M]`."""
        both, labels, classes = self._drawn(indices)
        images = self.split.images.index_select(0, both.view(-1)).unflatten(0, both.shape)
        shots, asked = labels.shape[1], self._asked.expand(len(both), -1)
        return Episode(images[:, :shots], labels, images[:, shots:], asked, classes)
