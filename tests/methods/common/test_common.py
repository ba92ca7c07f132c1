"""Learning rates and picture grids."""

from __future__ import annotations

import pytest
import torch

from methods.common.pictures import grid
from methods.common.schedules import learning_rate


def test_cosine_is_torchs() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=50)
    for step in range(50):
        assert learning_rate(step, 0.3, "cosine", 0, 50) == pytest.approx(
            optimizer.param_groups[0]["lr"], abs=1e-9
        )
        optimizer.step()
        scheduler.step()
    assert learning_rate(70, 0.3, "cosine", 0, 50) == 0.0


def test_warm_up_rises_in_a_line_and_constant_stays() -> None:
    rates = [learning_rate(step, 1.0, "constant", 4, 10) for step in range(8)]
    assert rates == pytest.approx([0.2, 0.4, 0.6, 0.8, 1, 1, 1, 1])
    assert learning_rate(4, 1.0, "cosine", 4, 10) == 1.0
    with pytest.raises(ValueError, match="constant or cosine"):
        learning_rate(0, 1.0, "linear", 0, 10)


def test_a_grid_by_hand() -> None:
    images = torch.tensor([0, 1, 2]).reshape(3, 1, 1, 1)
    picture = grid(images, columns=2, levels=3)
    assert picture.dtype == torch.uint8
    assert picture.shape == (5, 5, 3)
    assert picture[:, :, 0].tolist() == [
        [255] * 5,
        [255, 0, 255, 128, 255],
        [255] * 5,
        [255, 255, 255, 255, 255],
        [255] * 5,
    ]
    assert grid(images, 3, 3, side=4).shape == (6, 16, 3)
    colour = grid(torch.tensor([[255, 0, 7]]).reshape(1, 3, 1, 1), 1)
    assert colour[1, 1].tolist() == [255, 0, 7]
