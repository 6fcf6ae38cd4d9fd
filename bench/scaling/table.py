"""The findings as tables in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from bench.scaling.findings import (
    BASE,
    COMPILED,
    DISPATCH,
    PARTS,
    Cell,
    Growth,
    breakdowns,
    cells,
    disturbed,
    growths,
    where_faster,
)
from bench.scaling.parts import KINDS


def print_tables(document: dict[str, Any], console: Console) -> None:
    """Print a table per part, and below them what has no figure."""
    _print(console, "Microseconds per step of 784-width-10", *_crossover(cells(document)))
    for sentence in where_compiling_pays(cells(document)):
        console.print(sentence, markup=False)
    head = ("backend", "axis", "exponent", "of the upper half")
    _print(console, "Time of an epoch ~ size^exponent", head, map(_growth, growths(document)))
    _print(console, "Shares of a NumPy step", *_breakdown(document))
    for complaint in complaints(document):
        console.print(complaint, markup=False)
    for sizes in disturbed(document):
        console.print(f"DISTURBED: {sizes}", markup=False)


def where_compiling_pays(found: Sequence[Cell]) -> Iterator[str]:
    """Say for each batch size at which widths a compiled step is the faster one."""
    for batch_size, row in groupby(found, key=lambda cell: cell.batch_size):
        where = where_faster(list(row))
        if where:
            yield f"batches of {batch_size}: {COMPILED} is faster than {BASE} {where}"


def complaints(document: dict[str, Any]) -> list[str]:
    """Return one line per contender and way to fail, however many sizes it failed at."""
    entries = [entry for part in PARTS for entry in document[part]]
    rows = [row for entry in entries for row in entry["rows"]]
    apart = [entry["numpy"] for entry in document["breakdown"] if entry["numpy"]]
    found = [(row["name"], row["status"], row["reason"]) for row in rows]
    found += [("a NumPy step taken apart", one["status"], one["reason"]) for one in apart]
    bad = dict.fromkeys(line for line in found if line[1] not in ("ok", "running"))
    return [": ".join(line) for line in bad]


def _crossover(found: Sequence[Cell]) -> tuple[Sequence[str], Iterator[list[str]]]:
    backends = list(dict.fromkeys(backend for cell in found for backend in cell.step_us))
    head = ["batch", "width", *backends, "compiling", "pays after"]
    return head, (
        [
            str(cell.batch_size),
            str(cell.width),
            *(_number(cell.step_us.get(backend), ",.0f") for backend in backends),
            _number(cell.compile_s, ".2f", " s"),
            _number(cell.break_even_steps, ",", " steps"),
        ]
        for cell in found
    )


def _growth(growth: Growth) -> list[str]:
    exponents = (growth.exponent, growth.upper_exponent)
    return [growth.backend, growth.axis, *(_number(value, ".2f") for value in exponents)]


def _breakdown(document: dict[str, Any]) -> tuple[Sequence[str], list[list[str]]]:
    found = breakdowns(document)
    kinds = [
        [kind, *(_share(one.parts_us.get(kind), one.step_us) for one in found)]
        for kind in (*KINDS, DISPATCH)
    ]
    floor = ["floor", *(_share(one.floor_us, one.step_us) for one in found)]
    compiled = [f"{COMPILED} / floor", *(_number(one.jax_to_floor, ".2f") for one in found)]
    return ["", *(one.config for one in found)], [*kinds, floor, compiled]


def _share(part: float | None, whole: float | None) -> str:
    return "-" if part is None or whole is None else f"{part / whole:.0%}"


def _number(value: float | None, form: str, unit: str = "") -> str:
    return "-" if value is None else format(value, form) + unit


def _print(console: Console, title: str, head: Sequence[str], rows: Iterable[list[str]]) -> None:
    console.print(title, markup=False)
    table = Table(*head, box=box.SIMPLE, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        table.add_row(*row)
    console.print(table)
