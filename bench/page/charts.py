"""The three charts of the page, drawn from the scaling file."""

from __future__ import annotations

import math
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from bench.page.read import Document
from bench.page.svg import (
    DARK,
    draw_lines,
    name_lines,
    panels,
    paper,
    sizes_axis,
    standalone,
    times_axis,
)
from bench.page.words import number
from bench.scaling.findings import BASE, COMPILED, DISPATCH, Breakdown, breakdowns, cells, growths
from fastmlp.page.svg import SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# products first, to be compared with the floor below them
STACK = {
    "products": SERIES[0],
    "elementwise": SERIES[3],
    "update": SERIES[2],
    "gather": SERIES[5],
    "cast and scale": SERIES[4],
    DISPATCH: SERIES[1],
}
WRITTEN_FROM = 0.07  # shares of a bar that have room for their number


class Chart(NamedTuple):
    """An SVG file."""

    name: str
    title: str
    svg: str

    @property
    def file(self) -> str:
        """Return its name in docs/images."""
        return f"performance-{self.name}.svg"


def crossover_chart(scaling: Document) -> Chart | None:
    """Draw time per step against width: a panel per batch size, a line per backend."""
    found = cells(scaling)
    backends = list(dict.fromkeys(backend for cell in found for backend in cell.step_us))
    rows = [list(row) for _, row in groupby(found, key=lambda cell: cell.batch_size)]
    if not backends:
        return None
    times = [us for cell in found for us in cell.step_us.values()]
    title = "Time per step by batch size and width of the hidden layer, microseconds"
    said = "; ".join(
        f"batch {cell.batch_size}, width {cell.width}: "
        + ", ".join(f"{backend} {us:.3g}" for backend, us in cell.step_us.items())
        for cell in found
    )
    with paper():
        figure, all_axes = panels(len(rows), 3.0, share_y=True)
        for axes, row in zip(all_axes, rows, strict=True):
            lines = {
                backend: [
                    (float(cell.width), cell.step_us[backend])
                    for cell in row
                    if backend in cell.step_us
                ]
                for backend in backends
            }
            draw_lines(axes, backends, lines)
            times_axis(axes, times)
            sizes_axis(axes, [cell.width for cell in row])
            axes.set_title(f"batch {row[0].batch_size:,}", fontsize=9.5)
            axes.set_xlabel("width")
        all_axes[0].set_ylabel("time per step, µs")
        name_lines(all_axes[-1], {backend: backend for backend in backends}, lines)
        return Chart("crossover", title, standalone(figure, title, said))


def growth_chart(scaling: Document) -> Chart | None:
    """Draw the time of an epoch against its size, with the exponents at the ends of the lines."""
    found = [growth for growth in growths(scaling) if growth.exponent is not None]
    if not found:
        return None
    axes_names = list(dict.fromkeys(growth.axis for growth in found))
    backends = list(dict.fromkeys(growth.backend for growth in found))
    unit_s = next((one for one in found if one.backend == BASE), found[0]).points[0][1]
    title = f"Time of an epoch against its size; the smallest of {BASE} is 1"
    said = "; ".join(
        f"{one.backend} by {one.axis}: exponent {one.exponent:.2f}, "
        + ", ".join(f"{size:g} {time_s / unit_s:.3g}" for size, time_s in one.points)
        for one in found
    )
    with paper():
        figure, all_axes = panels(len(axes_names), 3.4, share_y=True)
        for axes, name in zip(all_axes, axes_names, strict=True):
            here = [growth for growth in found if growth.axis == name]
            lines = {one.backend: [(size, s / unit_s) for size, s in one.points] for one in here}
            draw_lines(axes, backends, lines)
            times_axis(axes, [s / unit_s for one in found for _, s in one.points])
            sizes_axis(axes, [size for size, _ in here[0].points])
            axes.set_xlabel("samples" if name == "samples" else "width of the hidden layer")
            name_lines(
                axes,
                {one.backend: f"{one.backend}, exponent {one.exponent:.2f}" for one in here},
                lines,
            )
        all_axes[0].set_ylabel(f"time of an epoch, smallest of {BASE} = 1")
        return Chart("growth", title, standalone(figure, title, said))


def breakdown_chart(scaling: Document) -> Chart | None:
    """Draw NumPy's step as a stack of its kinds, JAX's and the floor below it on the same scale."""
    found = [one for one in breakdowns(scaling) if one.step_us and one.floor_us]
    if not found:
        return None
    title = f"Where the time of a step goes; a step of {BASE} is 100 %"
    said = "; ".join(
        f"{one.config}: "
        + ", ".join(f"{name} {100 * share:.0f} %" for name, share in _shares(one).items())
        for one in found
    )
    with paper():
        figure, (axes,) = panels(1, 0.9 + 0.85 * len(found), share_y=False)
        for place, one in enumerate(found):
            _bars(axes, 4 * place, one)
        ticks = [(4 * place + row) for place in range(len(found)) for row in range(3)]
        names = [f"{one.config}  {what}" for one in found for what in (BASE, COMPILED, "floor")]
        axes.set_yticks(ticks, names)
        axes.set_ylim(4 * len(found) - 1.4, -0.7)
        axes.tick_params(axis="y", length=0)
        axes.xaxis.set_major_formatter(lambda value, _: number(value, ".0%"))
        axes.set_xlabel(f"time, in steps of {BASE}")
        axes.grid(visible=True, axis="x")
        _key(figure)
        return Chart("breakdown", title, standalone(figure, title, said))


def _shares(one: Breakdown) -> dict[str, float]:
    """All parts, JAX and the floor, in steps of NumPy."""
    step_us, floor_us = one.step_us or math.nan, one.floor_us or math.nan
    shares = {kind: one.parts_us[kind] / step_us for kind in STACK}
    if one.jax_to_floor:
        shares[COMPILED] = floor_us / step_us / one.jax_to_floor
    return {**shares, "floor": floor_us / step_us}


def _bars(axes: Axes, top: float, one: Breakdown) -> None:
    shares = _shares(one)
    left = 0.0
    for kind, colour in STACK.items():
        share = max(0.0, shares[kind])  # noise may make what is left over negative
        axes.barh(top, share, 0.85, left, color=colour, edgecolor="white", linewidth=0.5)
        if share >= WRITTEN_FROM:
            ink = "white" if kind == "products" else DARK
            middle, text = left + share / 2, number(share, ".0%")
            axes.text(middle, top, text, ha="center", va="center", fontsize=8, color=ink)
        left += share
    axes.set_xlim(0.0, max(1.04, 1.1 * max(shares.values()), axes.get_xlim()[1]))
    for row, name in ((1, COMPILED), (2, "floor")):
        if name in shares:
            axes.barh(top + row, shares[name], 0.85, color="#8c8c8c" if row == 1 else SERIES[0])
            text = number(shares[name], ".0%")
            axes.annotate(
                text, (shares[name], top + row), (4, 0), textcoords="offset points", va="center"
            )


def _key(figure: Figure) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(facecolor=colour, label=kind) for kind, colour in STACK.items()]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(STACK), frameon=False)
