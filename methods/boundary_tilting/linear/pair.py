"""Points of two classes, and where they lie."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True)
class Pair:
    """Points of two classes, I with label -1 and J with label 1.

    Attributes:
        x: points, float64 `[n, d]`.
        y: labels, float64 `[n]`, -1 or 1.

    Raises:
        ValueError: where a class has no point, or both have the same centre, so that no direction leads from
            one to the other.
    """

    x: Tensor
    y: Tensor

    def __post_init__(self) -> None:
        for label, name in ((-1, "first"), (1, "second")):
            if not (self.y == label).any():
                raise ValueError(f"the {name} of the two classes has no image")
        if not self.apart > 0:
            raise ValueError("both classes have the same mean image, so that no direction parts them")

    @cached_property
    def centres(self) -> tuple[Tensor, Tensor]:
        """Means i and j of the classes, `[d]` each."""
        return self.x[self.y < 0].mean(0), self.x[self.y > 0].mean(0)

    @cached_property
    def apart(self) -> float:
        """Distance D of the means."""
        i, j = self.centres
        return float((j - i).norm())

    @cached_property
    def direction(self) -> Tensor:
        """Unit vector z from i to j, `[d]`."""
        i, j = self.centres
        return (j - i) / self.apart

    @cached_property
    def spectrum(self) -> tuple[Tensor, Tensor]:
        """Principal components of all points: variances `[d]`, falling, and unit vectors as columns
        `[d, d]`."""
        centred = self.x - self.x.mean(0)
        variances, vectors = torch.linalg.eigh(centred.T @ centred / len(centred))
        return variances.flip(0).clamp(min=0), vectors.flip(1)

    @cached_property
    def used(self) -> tuple[Tensor, Tensor]:
        """Which numbers are not 0 in all points, bool `[d]`, and these of the points, `[n, used]`."""
        live = (self.x != 0).any(0)
        return live, self.x[:, live].contiguous()

    def components(self, share: float = 0.95) -> int:
        """Number of principal components that hold this share of the variance."""
        held = self.spectrum[0].cumsum(0)
        return int((held < share * held[-1]).sum()) + 1
