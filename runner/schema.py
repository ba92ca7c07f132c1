"""From a composed node to the frozen dataclass that describes it: names, types and ranges.

A settings dataclass has no defaults: the YAML gives every value (what a person writes from nothing, such as a
claim, may leave out fields with a default). A field's metadata may hold `help`, `min`, `max` (inclusive),
`above` and `below` (exclusive), and `only` (see `runner/idle.py`). Types are int, float, bool, str, Literal,
`T | None`, `tuple[T, ...]`, `dict[str, T]` and other such dataclasses.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from runner.errors import ConfigError, nearest

T = TypeVar("T")
BOUNDS = {
    "min": ("at least", lambda value, bound: value >= bound),
    "above": ("above", lambda value, bound: value > bound),
    "max": ("at most", lambda value, bound: value <= bound),
    "below": ("below", lambda value, bound: value < bound),
}


def build(cls: type[T], node: Mapping[str, Any], path: str, file: str) -> T:
    """An instance of the dataclass `cls` from `node`.

    `path` is the dotted key of the node (empty for the root) and `file` the YAML to look at; both only serve
    messages. Raises `ConfigError` for an unknown or missing key, a wrong type, a value out of range, or what
    `cls` refuses.
    """
    if not isinstance(node, Mapping):
        raise _wrong(path, node, "a group of keys", file)
    hints, fields = _hints(cls), {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for key in node:
        if key not in fields:
            raise ConfigError(f"{_join(path, str(key))} is not a key of {file}{nearest(str(key), fields)}")
    missing = [_join(path, name) for name, f in fields.items() if name not in node and _needed(f)]
    if missing:
        raise ConfigError(f"{', '.join(missing)} has no value; {file} should give one")
    values = {
        n: convert(node[n], hints[n], _join(path, n), file, f.metadata)
        for n, f in fields.items()
        if n in node
    }
    try:
        return cls(**values)
    except ValueError as error:
        named = not path or str(error).startswith(f"{path.partition('.')[0]}.")  # it begins with its key
        raise ConfigError(f"{'' if named else f'{path}: '}{error} (see {file})") from None


def _needed(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def convert(value: Any, hint: Any, path: str, file: str, limits: Mapping[str, Any]) -> Any:
    """`value` as `hint` says, within `limits`; raises `ConfigError`."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _convert_union(value, arguments, path, file, limits)
    if origin is typing.Literal:
        return _convert_literal(value, arguments, path, file)
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise _wrong(path, value, "a group of keys", file)
        return build(typing.cast(type, hint), value, path, file)
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise _wrong(path, value, "a list, as in [1,2]", file)
        return tuple(convert(v, arguments[0], f"{path}[{i}]", file, limits) for i, v in enumerate(value))
    if origin is dict:
        if not isinstance(value, Mapping):
            raise _wrong(path, value, "a group of keys", file)
        return {str(k): convert(v, arguments[1], f"{path}.{k}", file, limits) for k, v in value.items()}
    if hint is Any:
        return value
    return _convert_scalar(value, hint, path, file, limits)


def _convert_union(
    value: Any, members: tuple[Any, ...], path: str, file: str, limits: Mapping[str, Any]
) -> Any:
    if value is None and type(None) in members:
        return None
    others = [member for member in members if member is not type(None)]
    for member in others[:-1]:
        try:
            return convert(value, member, path, file, limits)
        except ConfigError:
            continue
    return convert(value, others[-1], path, file, limits)


def _convert_literal(value: Any, choices: tuple[Any, ...], path: str, file: str) -> Any:
    for choice in choices:
        if type(choice) is type(value) and choice == value:
            return choice
    names = [_shown(choice) for choice in choices]
    raise ConfigError(f"{path}={_shown(value)} is not one of {', '.join(names)} (see {file})")


def _convert_scalar(value: Any, hint: Any, path: str, file: str, limits: Mapping[str, Any]) -> Any:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if number and isinstance(value, int) and abs(value) >= 2**1023:
        raise ConfigError(f"{path}={_shown(value)} is out of range (see {file})")
    if hint is float and number:
        return _within(float(value), path, file, limits)
    if hint is int and number and not isinstance(value, float):
        return _within(value, path, file, limits)
    if hint is str and value == "":
        raise ConfigError(f"{path} is empty (see {file})")
    if hint in (bool, str) and isinstance(value, hint):
        return value
    kinds = {float: "a number", int: "a whole number", bool: "true or false", str: "a text"}
    raise _wrong(path, value, kinds.get(hint, str(hint)), file)


def _within(value: float, path: str, file: str, limits: Mapping[str, Any]) -> float:
    if not math.isfinite(value):
        raise ConfigError(f"{path}={value} is not a finite number (see {file})")
    for name, (words, holds) in BOUNDS.items():
        if name in limits and not holds(value, limits[name]):
            raise ConfigError(
                f"{path}={value} is out of range: it must be {words} {limits[name]} (see {file})"
            )
    return value


def _wrong(path: str, value: Any, wanted: str, file: str) -> ConfigError:
    return ConfigError(f"{path}={_shown(value)} is not {wanted} (see {file})")


def _shown(value: Any) -> str:
    names = {None: "null", True: "true", False: "false"}
    if value is None or isinstance(value, bool):
        return names[value]
    text = " ".join(str(value).split())
    return text if len(text) <= 60 else text[:57] + "..."


def keys(cls: type, path: str = "") -> list[str]:
    """All dotted keys below the dataclass `cls`, for completion and for nearest names."""
    found = []
    for name, hint in _hints(cls).items():
        found.append(_join(path, name))
        if dataclasses.is_dataclass(hint):
            found += keys(typing.cast(type, hint), _join(path, name))
    return found
