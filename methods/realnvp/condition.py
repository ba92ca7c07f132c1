"""What a flow is told beside the image: its class, or the half of it that is given."""

from __future__ import annotations

import torch
from torch import Tensor

from datasets.types import ImageBatch, Images

Shape = tuple[int, int, int]


class Condition:
    """Takes a batch apart into what is modelled and what is given.

    `class` gives the label as planes of zeros and ones (appendix F). `half` models the right half of an image
    given the left one, and `half_unseen` the right half alone, with nets of the same size.

    Args:
        kind: none, class, half or half_unseen.
        data: the images.

    Attributes:
        shape: `(C, H, W)` of what is modelled.
        channels: planes of what is given.

    Raises:
        ValueError: images of an odd width have no halves.
    """

    def __init__(self, kind: str, data: Images) -> None:
        self.kind, self.levels, self.classes = kind, data.levels, len(data.classes)
        channels, height, width = data.shape
        self.halves = kind.startswith("half")
        if self.halves and width % 2:
            raise ValueError(f"method.condition={kind} needs an even width, but images are {height}x{width}")
        self.shape: Shape = (channels, height, width // 2) if self.halves else data.shape
        self.channels = {"none": 0, "class": self.classes}.get(kind, channels)

    def __call__(self, batch: ImageBatch) -> tuple[Tensor, Tensor | None]:
        """Integer images `[B, C, H, W]` to be modelled, and planes `[B, channels, H, W]` in [0, 1]."""
        if self.kind == "none":
            return batch.images, None
        if self.kind == "class":
            return batch.images, self.of_class(batch.labels)
        left, right = batch.images.chunk(2, dim=-1)
        given = left.float() / (self.levels - 1)
        return right, torch.zeros_like(given) if self.kind == "half_unseen" else given

    def of_class(self, labels: Tensor) -> Tensor:
        """Planes `[B, classes, H, W]` of labels `[B]`."""
        one_hot = torch.nn.functional.one_hot(labels, self.classes).float()
        return one_hot[:, :, None, None].expand(-1, -1, *self.shape[1:])

    def shown(self, images: Tensor, given: Tensor | None) -> Tensor:
        """Integer images as one looks at them: with the half that was given, if one was."""
        if given is None or self.kind != "half":
            return images
        left = (given * (self.levels - 1)).round().to(images)
        return torch.cat((left, images), dim=-1)
