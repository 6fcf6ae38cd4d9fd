"""The sections on sizes: which backend for which, what a step is spent on, how time grows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bench.page.read import Document
from bench.page.words import about, number, table
from bench.scaling.findings import (
    BASE,
    COMPILED,
    DISPATCH,
    Cell,
    breakdowns,
    cells,
    growths,
)
from bench.scaling.parts import KINDS
from bench.scaling.table import complaints, where_compiling_pays

ADVICE = f"""\
- Take the backend that the table names for your size; the number is its speed over that of {BASE}.
- Count your steps, epochs times batches. With fewer than the table says, compiling takes longer
  than it wins, and `{BASE}` is done first.
- Where other work disturbs the machine, `fastmlp compare --threads 1` gives steadier times: a
  product split over all cores waits for the slowest of them.
- JAX can keep what it compiled for the next process. Before Python starts, set its own variables
  `JAX_COMPILATION_CACHE_DIR` to a folder and `JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS` to 0."""


def which_backend(scaling: Document) -> Iterator[str]:
    """Yield the fastest backend of each size, what compiling takes, and advice."""
    found = cells(scaling)
    widths = list(dict.fromkeys(cell.width for cell in found))
    by_size = {(cell.batch_size, cell.width): cell for cell in found}
    yield table(
        ["batch", *(f"width {width:,}" for width in widths)],
        [
            [f"{batch_size:,}", *(_cell(by_size.get((batch_size, width))) for width in widths)]
            for batch_size in dict.fromkeys(cell.batch_size for cell in found)
        ],
    )
    yield "\n".join(f"- {line[0].upper()}{line[1:]}." for line in where_compiling_pays(found))
    yield ADVICE


def _cell(cell: Cell | None) -> str:
    """Name the fastest backend, its gain, and the steps that pay for compiling."""
    if cell is None or not cell.step_us:
        return "-"
    fastest = min(cell.step_us, key=lambda backend: cell.step_us[backend])
    said = fastest
    if BASE in cell.step_us and fastest != BASE:
        said += f" {cell.step_us[BASE] / cell.step_us[fastest]:.1f}"
    if fastest == COMPILED and cell.break_even_steps is not None:
        said += f", after {about(cell.break_even_steps)} steps"
    return said


def where_time_goes(scaling: Document) -> Iterator[str]:
    """Yield the shares of a NumPy step, and of JAX the whole step over the floor."""
    found = breakdowns(scaling)
    kinds = [
        [kind, *(number(_share(one.parts_us.get(kind), one.step_us), ".0%") for one in found)]
        for kind in (*KINDS, DISPATCH)
    ]
    floor = [number(_share(one.floor_us, one.step_us), ".0%") for one in found]
    compiled = [number(one.jax_to_floor, ".2f") for one in found]
    yield table(
        [f"share of a step of {BASE}", *(one.config for one in found)],
        [*kinds, ["*floor over that step*", *floor], [f"*speed of {COMPILED} / floor*", *compiled]],
    )


def growth(scaling: Document) -> Iterator[str]:
    """Yield the exponents of each axis and backend."""
    yield table(
        ["backend", "axis", "sizes", "exponent", "of the upper half"],
        [
            [
                one.backend,
                one.axis,
                f"{one.points[0][0]:,.0f} to {one.points[-1][0]:,.0f}",
                number(one.exponent, ".2f"),
                number(one.upper_exponent, ".2f"),
            ]
            for one in growths(scaling)
        ],
        n_left=2,
    )


def not_timed(scaling: Document) -> Iterator[str]:
    """Yield who has no figure, and why."""
    said = complaints(scaling)
    if said:
        yield "\n".join(f"- {complaint}" for complaint in said)


def _share(part: float | None, whole: Any) -> float | None:
    return part / whole if part is not None and whole else None
