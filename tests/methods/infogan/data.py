"""Small random images."""

from __future__ import annotations

import torch

from datasets.types import ImageBatch, Images, ImageSplit


class Random(ImageSplit):
    """Images with labels, in memory."""

    def __init__(self, count: int, shape: tuple[int, int, int], seed: int) -> None:
        dice = torch.Generator().manual_seed(seed)
        self.images = torch.randint(0, 256, (count, *shape), generator=dice, dtype=torch.uint8, device="cpu")
        self.labels = torch.arange(count, device="cpu") % 4

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, indices: torch.Tensor) -> ImageBatch:
        return ImageBatch(self.images[indices.cpu()], self.labels[indices.cpu()])


def images(shape: tuple[int, int, int] = (1, 8, 8), train: int = 64) -> Images:
    """Four classes of noise."""
    parts = [Random(count, shape, seed) for seed, count in enumerate((train, 20, 20))]
    return Images("noise", "0", shape, 256, ("a", "b", "c", "d"), *parts)
