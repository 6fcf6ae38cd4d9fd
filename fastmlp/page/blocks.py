"""What a page is made of. A block says what is shown; page.html.j2 has a macro for each kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

Rows: TypeAlias = Sequence[Sequence[str]]
Pairs: TypeAlias = Sequence[tuple[str, str]]


class Sentences(NamedTuple):
    """A verdict: each sentence under its keyword."""

    pairs: Pairs


class Column(NamedTuple):
    """One column: its head in two lines, what it means, one cell per row."""

    name: str
    unit: str
    meaning: str
    cells: list[str]
    numeric: bool = True
    may_stand_below: bool = False  # below the column to its left, where the room is short
    hints: Sequence[str] = ()  # how each cell was obtained, shown where a pointer rests on it


class Columns(NamedTuple):
    """The table of a page, column by column; the first one names the rows."""

    columns: Sequence[Column]


class Chart(NamedTuple):
    """A figure as SVG, its caption, and its numbers."""

    title: str
    svg: str
    note: str
    head: list[str]
    rows: list[list[str]]


class Charts(NamedTuple):
    """Charts beside each other, and notes to all of them."""

    charts: Sequence[Chart]
    notes: Sequence[str] = ()


class Legend(NamedTuple):
    """Names and pieces of lines as SVG."""

    entries: Pairs


class Words(NamedTuple):
    """A paragraph; a quiet one stands back."""

    text: str
    quiet: bool = False


class Reasons(NamedTuple):
    """Who is missing, why, and a command that helps."""

    entries: Sequence[tuple[str, str, str]]


class Cards(NamedTuple):
    """Titled lists of names and values."""

    cards: Sequence[tuple[str, Pairs]]


class Meanings(NamedTuple):
    """Names and what they mean."""

    pairs: Pairs


class Numbers(NamedTuple):
    """A plain table of numbers under a caption."""

    caption: str
    head: Sequence[str]
    rows: Rows


Block: TypeAlias = (
    Sentences | Columns | Charts | Legend | Words | Reasons | Cards | Meanings | Numbers
)


class Section(NamedTuple):
    """A headed part of a page; one without blocks is left out."""

    name: str  # its id
    title: str
    blocks: Sequence[Block]


class Page(NamedTuple):
    """All of it."""

    title: str  # of the window
    heading: str
    subtitle: str
    sections: Sequence[Section]
    footer: str
    notice: str = ""  # what nobody should miss


def said(head: Sequence[str], rows: Rows) -> str:
    """Say the rows of a table, for those who do not see the chart."""
    lines = (
        ", ".join(f"{name} {cell}" for name, cell in zip(head, row, strict=True)) for row in rows
    )
    return "; ".join(lines) + "."
