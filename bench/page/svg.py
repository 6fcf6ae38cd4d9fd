"""A figure as an SVG file of its own, the same bytes for the same figures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import escape
from io import StringIO
from typing import TYPE_CHECKING, Any

from fastmlp.page.axes import log_axis
from fastmlp.page.svg import SERIES, drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_IN = 8.0
DARK, PALE = "#1a1a1a", "#d9d9d9"
MARKERS = "os^DvP"
LABEL_GAP = 0.075  # of the height of a panel, between names at the ends of lines
NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))

Lines = dict[str, list[tuple[float, float]]]  # backend -> points


@contextmanager
def paper() -> Iterator[None]:
    """Style of the page's charts: dark on white, whatever the ground around them."""
    import matplotlib as mpl

    with drawing():
        inks = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")
        style: dict[Any, Any] = {**dict.fromkeys(inks, DARK), "grid.color": PALE}
        mpl.rcParams.update(style)
        yield


def panels(n: int, height_in: float, *, share_y: bool) -> tuple[Figure, list[Axes]]:
    """Make n pairs of axes side by side."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    made = figure.subplots(1, n, sharey=share_y, squeeze=False)
    return figure, list(made[0])


def standalone(figure: Figure, title: str, description: str) -> str:
    """Write the figure; title and description are what a screen reader says."""
    written = StringIO()
    figure.savefig(written, format="svg", metadata=NO_METADATA)
    svg = written.getvalue()
    words = f"<title>{escape(title)}</title>\n<desc>{escape(description)}</desc>\n"
    end = svg.index(">", svg.index("<svg")) + 2
    lines = (line.rstrip() for line in (svg[:end] + words + svg[end:]).splitlines())
    return "\n".join(lines) + "\n"


def sizes_axis(axes: Axes, sizes: Sequence[float]) -> None:
    """Make the lower axis logarithmic, with the sizes themselves as its ticks."""
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [f"{size:,.0f}" for size in sizes])
    axes.minorticks_off()


def times_axis(axes: Axes, times: Sequence[float]) -> None:
    """Make the left axis logarithmic, with plain numbers."""
    log_axis(axes.yaxis, axes.set_yscale, times)
    axes.grid(visible=True, axis="y")


def draw_lines(axes: Axes, backends: list[str], lines: Lines) -> None:
    """Draw a line per backend, its colour and marker by its place."""
    for place, backend in enumerate(backends):
        x, y = zip(*lines.get(backend) or [(math.nan, math.nan)], strict=True)
        colour, marker = SERIES[place % len(SERIES)], MARKERS[place % len(MARKERS)]
        axes.plot(x, y, color=colour, marker=marker, markersize=5, label=backend)
    axes.margins(y=0.12)


def name_lines(axes: Axes, names: dict[str, str], lines: Lines) -> None:
    """Write names at the ends of their lines, none over another."""
    ends = {backend: lines[backend][-1] for backend in names if lines.get(backend)}
    low, high = (math.log(y) for y in axes.get_ylim())
    heights = [(math.log(y) - low) / (high - low) for _, y in ends.values()]
    for (backend, (x, _)), height in zip(ends.items(), apart(heights, LABEL_GAP), strict=True):
        place = math.exp(low + height * (high - low))
        colour = next(line.get_color() for line in axes.lines if line.get_label() == backend)
        axes.annotate(
            names[backend],
            (x, place),
            (7, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            annotation_clip=False,
        )


def apart(values: Sequence[float], least: float) -> list[float]:
    """Move values away from each other until none is closer than least; their order is kept.

    Examples
    --------
    >>> apart([1.0, 1.0, 5.0], 1.0)
    [0.5, 1.5, 5.0]
    """
    places = sorted(range(len(values)), key=lambda place: values[place])
    groups: list[list[int]] = []
    centres: list[float] = []
    for place in places:
        groups.append([place])
        centres.append(values[place])
        while len(groups) > 1 and _touch(groups, centres, least):
            together = groups.pop(-2) + groups.pop()
            groups.append(together)
            centres[-2:] = [sum(values[one] for one in together) / len(together)]
    moved = list(values)
    for group, centre in zip(groups, centres, strict=True):
        for order, place in enumerate(group):
            moved[place] = centre + (order - (len(group) - 1) / 2) * least
    return moved


def _touch(groups: list[list[int]], centres: list[float], least: float) -> bool:
    half = (len(groups[-2]) + len(groups[-1])) / 2
    return centres[-1] - centres[-2] < least * half
