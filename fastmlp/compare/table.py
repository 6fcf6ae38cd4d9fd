"""The comparison as a table in a terminal, or as plain text in a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastmlp.compare.cells import columns, incomplete_runs, label, shown_runs, why
from fastmlp.compare.conditions import conditions, energy_notes, steady_note
from fastmlp.compare.results import Results
from fastmlp.page.blocks import Column

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

ROOMY = 100  # from this width on, columns get two blanks between them
UNBOUNDED = 10_000  # wider than any table


def print_table(results: Results, console: Console) -> None:
    """Print one row per contender, then those without a complete run, then the conditions.

    Parameters
    ----------
    results : Results
    console : rich.console.Console
        80 columns are enough; nothing is cut off, long words are folded.
    """
    if shown_runs(results):
        console.print(_fitting(results, console))
        console.print()
    if incomplete_runs(results):
        console.print(_incomplete(results))
        console.print()
    for sentence in (conditions(results), steady_note(results), *energy_notes(results)):
        console.print(_text(sentence))


def _fitting(results: Results, console: Console) -> Table:
    """Return the table, with some columns below others where it would be too wide."""
    shown = columns(results)
    table = _table(shown, console.width)
    unbounded = console.options.update(width=UNBOUNDED)
    if console.measure(table, options=unbounded).maximum <= console.width:
        return table
    return _table(_stacked(shown), console.width)


def _stacked(shown: list[Column]) -> list[Column]:
    stacked: list[Column] = []
    for column in shown:
        if column.may_stand_below:
            upper = stacked.pop()
            pairs = zip(upper.cells, column.cells, strict=True)
            stacked.append(upper._replace(cells=[f"{above}\n{below}" for above, below in pairs]))
        else:
            stacked.append(column)
    return stacked


def _table(shown: list[Column], width: int) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, collapse_padding=width < ROOMY, header_style="bold")
    for column in shown:
        table.add_column(
            _text(f"{column.name}\n{column.unit}"),
            justify="right" if column.numeric else "left",
            no_wrap=column.numeric,
            overflow="fold",
        )
    for cells in zip(*(column.cells for column in shown), strict=True):
        table.add_row(*map(_text, cells))
    return table


def _incomplete(results: Results) -> Table:
    from rich.table import Table

    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for run in incomplete_runs(results):
        name = label(run) if run in shown_runs(results) else run.backend
        table.add_row(_text(name), _text(why(run)))
        if run.hint:
            table.add_row("", _text(run.hint))
    return table


def _text(content: str) -> Text:
    """Text as it is: in a string, rich would take the [jax] of an install hint for markup."""
    from rich.text import Text

    return Text(content, overflow="fold")
