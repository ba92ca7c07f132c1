"""L2 penalty on the scales of the s/t networks (section 4.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from methods.realnvp.coupling import CheckerboardCoupling
from methods.realnvp.weight_norm import WeightNormConv2d


def scale_penalty(model: nn.Module) -> Tensor:
    """Sum of squares, a scalar, of all learned weight-norm magnitudes and checkerboard bounds r.

    The bounds of channel couplings go free, as in the authors' code.
    """
    scales = [
        module.magnitude if isinstance(module, WeightNormConv2d) else module.bound
        for module in model.modules()
        if isinstance(module, WeightNormConv2d | CheckerboardCoupling)
    ]
    learned = [scale.flatten() for scale in scales if isinstance(scale, nn.Parameter)]
    return torch.cat(learned).square().sum()
