"""Fully connected networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from methods.common.norm.make import Norm


class MLP(nn.Module):
    """Hidden layers of linear map, normalisation, nonlinearity and dropout, then a linear map to the classes.

    The normalisation comes before the nonlinearity, and a layer before batch normalisation has no offset,
    which would be taken away again (Ioffe and Szegedy, section 3.2).

    Arguments:
        inputs: numbers in an image.
        hidden: units of each hidden layer.
        classes: number of classes.
        norm: of one-dimensional channels.
        activation: makes a nonlinearity.
        dropout: share of hidden units that are dropped in training.
    """

    def __init__(
        self,
        inputs: int,
        hidden: Sequence[int],
        classes: int,
        norm: Norm,
        activation: Callable[[], nn.Module],
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Flatten()]
        for before, units in zip([inputs, *hidden], hidden, strict=False):
            layers += [nn.Linear(before, units, bias=not norm.centres), norm(units), activation()]
            layers += [nn.Dropout(dropout)] if dropout else []
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear([inputs, *hidden][-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        """Images `[B, C, H, W]` to logits `[B, classes]`."""
        logits: Tensor = self.head(self.layers(x))
        return logits
