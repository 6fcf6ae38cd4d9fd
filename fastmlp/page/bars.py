"""Horizontal bars, the first contender on top."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fastmlp.page.axes import Style, is_wide, log_axis, new_axes
from fastmlp.page.blocks import Chart, said
from fastmlp.page.svg import INK, inline_svg
from fastmlp.page.text import ABSENT, significant, time_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def time_bars(
    title: str,
    drawn: Sequence[Style],
    times_s: Sequence[float],
    spans_s: Sequence[tuple[float, float]],
    span: str,
) -> Chart:
    """Draw a time of each contender, and as a thin line from where to where it lies.

    ``span`` says what that line is, as in "the middle half of the epochs".
    """
    names, (unit, per_s) = [one.name for one in drawn], time_unit(times_s)
    texts = [f"{significant(time_s * per_s)} {unit}" for time_s in times_s]
    ends_s = [*times_s, *(high_s for _, high_s in spans_s)]
    figure, axes = bar_axes(names, ends_s, log=is_wide(times_s))
    bars = zip(drawn, times_s, spans_s, texts, strict=True)
    for place, (one, time_s, span_s, text) in enumerate(bars):
        axes.barh(place, time_s, 0.6, color=one.colour)
        draw_span(axes, span_s, place)
        write_value(axes, max(time_s, span_s[1]), place, text)
    head = ["backend", title.lower()]
    rows = [[name, text] for name, text in zip(names, texts, strict=True)]
    spread = any(map(has_width, spans_s))
    if spread:
        head.append(span)
        for row, ends in zip(rows, spans_s, strict=True):
            row.append(span_text(ends, unit, per_s))
    svg = inline_svg(figure, title.lower().replace(" ", "-"), title, said(head, rows))
    return Chart(title, svg, f"Thin line: {span}." if spread else "", head, rows)


def bar_axes(
    names: Sequence[str],
    ends: Sequence[float],
    *,
    log: bool,
    extra_in: float = 0.0,
    bar_in: float = 0.36,
) -> tuple[Figure, Axes]:
    """Make axes with a line for each name, wide enough for ends of bars and their text."""
    from matplotlib.ticker import MaxNLocator

    figure, axes = new_axes(0.75 + bar_in * len(names) + extra_in)
    if log:
        log_axis(axes.xaxis, axes.set_xscale, ends, _tick)
        low, high = min(ends) / 3, max(ends)
        axes.set_xlim(low, high * (high / low) ** 0.3)
        axes.set_xlabel("log scale")
    else:
        axes.set_xlim(0, max(ends) * 1.3)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_formatter(lambda value, _: _tick(value))
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.45, -0.55)  # the first contender on top
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=True, axis="x")
    return figure, axes


def has_width(span: tuple[float, float]) -> bool:
    """Tell whether a span has two ends; that of one value has none to show."""
    return span[0] < span[1]


def draw_span(axes: Axes, span: tuple[float, float], place: int) -> None:
    """Draw from where to where a bar's value lies, as a thin line."""
    if has_width(span):
        axes.plot(span, (place, place), color=INK, linewidth=1.0, marker="|")


def span_text(span: tuple[float, float], unit: str, per: float = 1.0) -> str:
    """Write a span, in a unit of which there are ``per`` in what it is given in."""
    low, high = (significant(end * per) for end in span)
    return f"{low} to {high} {unit}" if has_width(span) else ABSENT


def write_value(axes: Axes, end: float, place: int, text: str) -> None:
    """Write a value beside the end of its bar."""
    axes.annotate(text, (end, place), (5, 0), textcoords="offset points", va="center")


def component_key(figure: Figure, parts: Sequence[tuple[str, float]]) -> None:
    """Name the parts of bars by their opacity, where there are several."""
    from matplotlib.patches import Patch

    handles = [
        Patch(facecolor=(INK, opacity), edgecolor=INK, label=name) for name, opacity in parts
    ]
    if len(handles) > 1:
        figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)


def _tick(time_s: float) -> str:
    """Write a round time.

    Examples
    --------
    >>> _tick(0.03), _tick(10.0), _tick(0.0)
    ('30 ms', '10 s', '0')
    """
    if time_s == 0:
        return "0"
    return f"{time_s:,g} s" if time_s >= 1 else f"{1000 * time_s:.4g} ms"
