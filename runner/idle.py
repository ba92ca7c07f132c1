"""Settings that were given and do nothing, because of the value of another."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.compose import Composed


def idle(composed: Composed) -> list[str]:
    """A sentence for each word of the command that sets a key of the method in vain.

    A field of the method's dataclass says when it counts by its metadata `only`: names of other fields, and
    the values that these must have.
    """
    fields = {field.name: field for field in dataclasses.fields(composed.method_config)}
    found = []
    for word in composed.overrides:
        name = word.lstrip("+").partition("=")[0].removeprefix("method.")
        if not word.lstrip("+").startswith("method.") or name not in fields:
            continue
        for other, values in fields[name].metadata.get("only", {}).items():
            if (value := getattr(composed.method_config, other)) not in values:
                found.append(f"method.{name} does nothing with method.{other}={value}")
                break
    return found
