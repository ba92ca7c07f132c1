"""The parts of the page that need no script; every text in them is escaped."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

from runner.compare.differ import ABSENT, show
from runner.compare.group import Comparison, Configuration
from runner.compare.pictures import Picture, choose_pictures
from runner.compare.words import show_status, show_steps, show_summary, show_time, show_value

Cell = tuple[str, float | None]

_COLOURS, _DASHES = 7, 4


def count(comparison: Comparison) -> str:
    """`9 runs in 3 configurations`."""
    runs, groups = len(comparison.runs), len(comparison.configurations)
    return f"{runs} run{'s' * (runs != 1)} in {groups} configuration{'s' * (groups != 1)}"


def results(comparison: Comparison, metrics: Sequence[str]) -> str:
    """A sortable table with a row per configuration."""
    rows = []
    for position, group in enumerate(comparison.configurations):
        summaries = [group.summary(name) for name in metrics]
        numbers = [(show_summary(found), found.mean if found else None) for found in summaries]
        rows.append(_row(position, group.name, [_status(group), _steps(group), *numbers, _time(group)]))
    return _table(["configuration", "status", "steps", *metrics, "time"], rows)


def runs(comparison: Comparison, metrics: Sequence[str]) -> str:
    """A sortable table with a row per run."""
    rows = []
    for position, group in enumerate(comparison.configurations):
        for run in group.runs:
            numbers = [(show_value(run, name), run.metrics.get(name)) for name in metrics]
            one = Configuration(group.name, group.config, [run])
            seed = (show(run.seed), run.seed if type(run.seed) is int else None)
            end = [_time(one), (run.error or "", None)]
            cells = [(group.name, None), seed, _status(one), _steps(one), *numbers, *end]
            rows.append(_row(position, comparison.names[run.folder], cells))
    return _table(["run", "configuration", "seed", "status", "steps", *metrics, "time", "error"], rows)


def differences(comparison: Comparison) -> str:
    """A table with a row per key and a column per configuration."""
    if not comparison.keys:
        return "<p>There is one configuration: nothing differs.</p>"
    groups = comparison.configurations
    heads = [_label(place, group.name) for place, group in enumerate(groups)]
    rows = [(key, [show(group.config.get(key, ABSENT)) for group in groups]) for key in comparison.keys]
    return _plain_table(["key", *heads], rows)


def environment(comparison: Comparison) -> str:
    """What differs in machine, code and data; empty where nothing does."""
    facts = [
        (key, value, names) for key, found in comparison.environment.items() for value, names in found.items()
    ]
    rows = [(key, [value, ", ".join(names)]) for key, value, names in facts]
    return f"<h3>Not made alike</h3>{_plain_table(['fact', 'value', 'runs'], rows)}" if rows else ""


def notes(comparison: Comparison) -> str:
    """What to know before trusting the numbers; empty where there is nothing."""
    unfinished = any(run.status != "completed" for run in comparison.runs)
    texts = ["* latest values of runs that are not completed"] * unfinished + comparison.notes
    return f'<ul class="notes">{"".join(f"<li>{escape(text)}</li>" for text in texts)}</ul>' if texts else ""


def against(picture: bytes | None) -> str:
    """Final metrics against what was swept; empty where nothing was."""
    if picture is None:
        return ""
    data = base64.b64encode(picture).decode()
    image = f'<img src="data:image/png;base64,{data}" alt="final metrics against what was swept">'
    head = '<h2 id="against">Against what was swept</h2>'
    return f'<section class="against" aria-labelledby="against">{head}{image}</section>'


def figures(comparison: Comparison) -> str:
    """The runs' own figures as buttons that enlarge them; empty where there are none."""
    chosen, left_out = choose_pictures(comparison)
    if not chosen:
        return ""
    more = f"<p>{left_out} more in the runs' <code>figures</code> folders.</p>" if left_out else ""
    gallery = f'<div class="gallery">{"".join(map(_figure, chosen))}</div>'
    head = '<h2 id="figures">Figures of the runs</h2>'
    return f'<section aria-labelledby="figures">{head}{gallery}{more}</section>'


def _figure(picture: Picture) -> str:
    name, run, configuration = escape(picture.name), escape(picture.run), escape(picture.configuration)
    image = f'<img src="{picture.uri}" alt="{name} of {run}">'
    caption = f"<b>{name}</b><br>{configuration}<br><small>{run}</small>"
    button = f'<button type="button" class="picture">{image}</button>'
    return f"<figure>{button}<figcaption>{caption}</figcaption></figure>"


def _status(group: Configuration) -> Cell:
    return show_status(group.runs), None


def _steps(group: Configuration) -> Cell:
    return show_steps(group.runs), max(
        (run.steps for run in group.runs if run.steps is not None), default=None
    )


def _time(group: Configuration) -> Cell:
    known = [run.seconds for run in group.counted if run.seconds is not None]
    return show_time(group.counted), sum(known) / len(known) if known else None


def _row(position: int, name: str, cells: Sequence[Cell]) -> str:
    return f'<tr><th scope="row">{_label(position, name)}</th>{"".join(map(_cell, cells))}</tr>'


def _cell(cell: Cell) -> str:
    text, number = cell
    if text == "-":
        return '<td class="number">-</td>'
    if number is None:
        return f'<td><span class="words">{escape(text)}</span></td>'
    return f'<td class="number" data-sort="{number!r}">{escape(text)}</td>'


def _table(heads: Sequence[str], rows: Sequence[str]) -> str:
    cells = "".join(f'<th scope="col"><button type="button">{escape(head)}</button></th>' for head in heads)
    return _scroll(
        f'<table class="sortable"><thead><tr>{cells}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
    )


def _plain_table(heads: Sequence[str], rows: Sequence[tuple[str, list[str]]]) -> str:
    """A table with a key in front of each row; the heads are HTML already."""
    head = "".join(f'<th scope="col">{text}</th>' for text in heads)
    body = "".join(
        f'<tr><th scope="row"><code>{escape(key)}</code></th>{cells}</tr>'
        for key, row in rows
        for cells in ["".join(_cell((text, None)) for text in row)]
    )
    return _scroll(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")


def _scroll(table: str) -> str:
    return f'<div class="scroll" tabindex="0" role="region" aria-label="table">{table}</div>'


def _label(position: int, name: str) -> str:
    """A name beside the line that the chart draws for the configuration at `position`."""
    turn, colour = divmod(position, _COLOURS)
    line = '<line x1="1" y1="5" x2="27" y2="5"/>'
    look = f'class="swatch c{colour} d{turn % _DASHES}" viewBox="0 0 28 10" aria-hidden="true"'
    return f'<span class="label"><svg {look}>{line}</svg><span>{escape(name)}</span></span>'
