"""What is known of each image beside its class."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Factor:
    """One known factor of a data set's images.

    Attributes:
        name: what it is called; a column of `ImageSplit.factors`.
        values: names of its values where it is one of several, stored as 0, 1, ...; empty where it is a
            quantity.
        falsified_by: settings of training images after which it would no longer hold, such as `"flip"`.
    """

    name: str
    values: tuple[str, ...] = ()
    falsified_by: tuple[str, ...] = ()
