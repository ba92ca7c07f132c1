"""Plain text in columns that never grow wider than the terminal."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

GAP = "  "
NARROWEST = 24
WIDEST_CELL = 44
NO_BREAK = "\u00a0"
MOST_NAMES = 6


@dataclass(frozen=True)
class Column:
    """A head and one cell per row; numbers stand on the right."""

    head: str
    cells: list[str]
    right: bool = False

    @property
    def width(self) -> int:
        return max(display_width(cell) for cell in (self.head, *self.cells))


def display_width(text: str) -> int:
    """Columns of a terminal that `text` takes: wide East Asian characters two, combining marks none."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(unicodedata.combining(letter) > 0 for letter in text)


def cut(text: str, width: int) -> str:
    """`text` in at most `width` columns; what was cut out of its middle is an ellipsis."""
    if display_width(text) <= width:
        return text
    tail = (width - 1) // 3
    head, end = text[: width - 1 - tail], text[len(text) - tail :] if tail else ""
    while display_width(head) + display_width(end) > width - 1:
        head, end = (head[:-1], end) if len(head) > len(end) else (head, end[1:])
    return f"{head}…{end}"


def lay_out(columns: Sequence[Column], width: int) -> list[str]:
    """Lines of a table, the first column repeated in front of each block where one block is too wide."""
    width = max(width, NARROWEST)
    first = _narrowed(columns[0], max(width // 3, 10) if _too_wide(columns, width) else width)
    rest = [_narrowed(column, min(WIDEST_CELL, width - first.width - len(GAP))) for column in columns[1:]]
    lines: list[str] = []
    for block in _blocks(first, rest, width):
        lines += [*([""] if lines else []), *_block_lines([first, *block])]
    return lines


def lay_out_values(values: Mapping[str, Mapping[str, Sequence[str]]], width: int) -> list[str]:
    """Lines of `key`, then each of its values with the names that have it, wrapped."""
    width = max(width, NARROWEST)
    lines = []
    for key, found in values.items():
        lines.append(cut(f"  {key}", width))
        shown = [cut(value, width // 2) for value in found]
        widest = max(map(display_width, shown))
        for value, names in zip(shown, found.values(), strict=True):
            lines += _wrapped(f"    {value}{' ' * (widest - display_width(value))}", _few(names), width)
    return lines


def _few(names: Sequence[str]) -> str:
    whole = [name.replace(" ", NO_BREAK) for name in names]
    more = len(whole) - MOST_NAMES
    return "; ".join(whole) if more <= 1 else f"{'; '.join(whole[:MOST_NAMES])}; and {more} more"


def _wrapped(start: str, text: str, width: int) -> list[str]:
    lines = textwrap.wrap(f"{start}{GAP}{text}", width, subsequent_indent=" " * 8)
    return [cut(line.replace(NO_BREAK, " "), width) for line in lines]


def _too_wide(columns: Sequence[Column], width: int) -> bool:
    return sum(min(column.width, WIDEST_CELL) + len(GAP) for column in columns) - len(GAP) > width


def _narrowed(column: Column, width: int) -> Column:
    return Column(cut(column.head, width), [cut(cell, width) for cell in column.cells], column.right)


def _blocks(first: Column, rest: Sequence[Column], width: int) -> Iterator[list[Column]]:
    block: list[Column] = []
    used = first.width
    for column in rest:
        if block and used + len(GAP) + column.width > width:
            yield block
            block, used = [], first.width
        block.append(column)
        used += len(GAP) + column.width
    yield block


def _block_lines(columns: Sequence[Column]) -> list[str]:
    rows = zip(*(_padded(column) for column in columns), strict=True)
    return [GAP.join(row).rstrip() for row in rows]


def _padded(column: Column) -> list[str]:
    cells = [column.head, "-" * column.width, *column.cells]
    spaces = [" " * (column.width - display_width(cell)) for cell in cells]
    return [space + cell if column.right else cell + space for cell, space in zip(cells, spaces, strict=True)]
