"""Whether what a JSON file holds is what was written into it."""

from __future__ import annotations

from typing import Any

NUMBER = (int, float)
BIG = 1e300
"""No number that was measured is as large; a picture of it could not be drawn."""


def fits(value: Any, wanted: Any, where: str) -> None:
    """Raises ValueError where a value of a JSON file is not what is wanted.

    Arguments:
        wanted: a type or several; texts that are allowed; a list with what each item is; a mapping with what
            each key has, in which `*` stands for any key.
    """
    if isinstance(wanted, dict):
        if not isinstance(value, dict):
            raise ValueError(f"{where} is no mapping")
        for key in value if "*" in wanted else wanted:
            if key not in value:
                raise ValueError(f"{where} has no {key}")
            fits(value[key], wanted.get("*", wanted.get(key)), f"{where}.{key}")
    elif isinstance(wanted, list):
        if not isinstance(value, list):
            raise ValueError(f"{where} is no list")
        for item in value:
            fits(item, wanted[0], f"{where}[]")
    elif isinstance(wanted, tuple) and isinstance(wanted[0], str):
        if value not in wanted:
            raise ValueError(f"{where} is {value}")
    elif (
        not isinstance(value, wanted)
        or isinstance(value, bool)
        or (isinstance(value, NUMBER) and not abs(value) < BIG)
    ):
        raise ValueError(f"{where} is {value}")
