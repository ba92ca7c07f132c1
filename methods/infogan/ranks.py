"""Rank correlations of codes with what is measured."""

from __future__ import annotations

from collections.abc import Mapping

from scipy.stats import spearmanr
from torch import Tensor

from runner.api import Metrics


def ranks(split: str, measured: Mapping[str, Tensor], codes: Mapping[str, Tensor]) -> Metrics:
    """Absolute rank correlations of each code with each measure, and the highest of each measure."""
    found: Metrics = {}
    for name, values in measured.items():
        each = {code: _rank(values, column) for code, column in codes.items()}
        found |= {f"{split}/rank_{name}_{code}": value for code, value in each.items()}
        found[f"{split}/rank_{name}"] = max(each.values())
    return found


def _rank(a: Tensor, b: Tensor) -> float:
    """Spearman's, without its sign; 0 where one of the two is constant."""
    if a.unique().numel() < 2 or b.unique().numel() < 2:
        return 0.0
    return abs(float(spearmanr(a.numpy(), b.numpy()).statistic))
