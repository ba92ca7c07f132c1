"""A trained classifier as other methods see it."""

from __future__ import annotations

from torch import Tensor, nn

from datasets.types import Images


class Answers:
    """A `Classifier` of images in [0, 1]; its weights take no gradient, and its mode is that of evaluation.

    Arguments:
        classifier: from grey levels `[B, C, H, W]` to logits.

    Attributes:
        shape: `(C, H, W)` of its images.
        classes: names of its classes.
    """

    def __init__(self, classifier: nn.Module, data: Images) -> None:
        self.classifier, self.levels = classifier.eval().requires_grad_(False), data.levels
        self.shape, self.classes = data.shape, data.classes

    def logits(self, images: Tensor) -> Tensor:
        """Images, float `[B, C, H, W]` in [0, 1], to logits `[B, classes]`."""
        logits: Tensor = self.classifier(images * (self.levels - 1))
        return logits
