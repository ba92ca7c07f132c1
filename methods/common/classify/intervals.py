"""How sure one can be of a share."""

from __future__ import annotations

import math

Z = 1.959963984540054
"""97.5 % quantile of the normal distribution."""


def wilson(right: float, count: int) -> tuple[float, float]:
    """Ends of the 95 % interval of a share of which `right` of `count` were seen (Wilson, 1927).

    It covers as it says for small counts, and for shares near 0 and 1.
    """
    share, spread = right / count, Z * Z / count
    middle = (share + spread / 2) / (1 + spread)
    half = Z / (1 + spread) * math.sqrt(share * (1 - share) / count + spread / (4 * count))
    return max(0.0, middle - half), min(1.0, middle + half)
