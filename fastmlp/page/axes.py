"""Axes and lines that all charts have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from fastmlp.page.svg import SERIES, inline_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_IN = 4.7
NARROW = 1.6  # points
LOG_FROM = 20  # largest over smallest value from which on a linear axis hides the smallest
LINES: tuple[Any, ...] = ("-", (0, (3, 1.2)), (0, (1, 1)), (0, (5, 1.2, 1, 1.2)), (0, (2, 2)))
MARKERS = "os^DvPX"


class Style(NamedTuple):
    """How a contender is drawn."""

    name: str
    colour: str
    line: Any
    marker: str
    width: float


def styles(names: Sequence[str], shown: Sequence[int]) -> list[Style]:
    """Styles of the shown ones, given by their places in all names.

    Colour and marker follow from the place. Lines that lie on each other must all be seen, so
    the first one is wide and the later ones, drawn over it, are narrow and broken.
    """
    step = min(1.7, 6.0 / max(len(shown), 1))
    return [
        Style(
            names[place],
            SERIES[place % len(SERIES)],
            LINES[order % len(LINES)],
            MARKERS[place % len(MARKERS)],
            NARROW + step * (len(shown) - 1 - order),
        )
        for order, place in enumerate(shown)
    ]


def draw_line(axes: Axes, one: Style, x: Sequence[float], y: Sequence[float], every: Any) -> None:
    """Draw a contender's line, and above all lines its markers at every so many points."""
    axes.plot(x, y, color=one.colour, linestyle=one.line, linewidth=one.width)
    axes.plot(
        x,
        y,
        color=one.colour,
        linestyle="none",
        marker=one.marker,
        markersize=one.width + 4.5,  # nested too where they meet
        markevery=every,
        zorder=3,
    )


def legend(drawn: Sequence[Style]) -> list[tuple[str, str]]:
    """Name of each contender and a piece of its line as SVG."""
    from matplotlib.figure import Figure

    entries: list[tuple[str, str]] = []
    for one in drawn:
        figure = Figure(figsize=(0.6, 0.18))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        draw_line(axes, one, [0, 1, 2], [0, 0, 0], [1])
        svg = inline_svg(figure, f"line-{len(entries)}", f"line of {one.name.rstrip(' *')}", "")
        entries.append((one.name, svg))
    return entries


def new_axes(height_in: float) -> tuple[Figure, Axes]:
    """Make a figure of the page's width with one pair of axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    return figure, figure.add_subplot()


def log_axis(
    axis: Any,
    set_scale: Any,
    values: Sequence[float],
    write: Callable[[float], str] = "{:,g}".format,
) -> None:
    """Make an axis logarithmic, with plain numbers and few enough of them to be read."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    set_scale("log")
    steps = (1.0,) if is_wide(values, 100) else (1.0, 3.0)
    axis.set_major_locator(LogLocator(subs=steps, numticks=5))
    axis.set_major_formatter(FuncFormatter(lambda value, _: write(value)))
    axis.set_minor_locator(NullLocator())


def is_wide(values: Sequence[float], spread: float = LOG_FROM) -> bool:
    """Tell whether values lie so far apart that they need a logarithmic axis.

    Examples
    --------
    >>> is_wide([1.0, 21.0]), is_wide([1.0, 19.0]), is_wide([0.0, 19.0])
    (True, False, False)
    """
    return min(values) > 0 and max(values) > spread * min(values)
