"""Charts of the suites' page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from fastmlp.bench.summary import Line, Summary
from fastmlp.bench.training import Cost, seeds_of
from fastmlp.page import bars
from fastmlp.page.axes import Style, is_wide, log_axis, new_axes, styles
from fastmlp.page.blocks import Chart, said
from fastmlp.page.svg import inline_svg
from fastmlp.page.text import ABSENT, duration, listed, number, significant

SPAN = "the 95 % interval"
JOULES, LOG = "compute energy, J", ", log scale"
PHASES = (("starting", 1.0), ("epochs", 0.6), ("10,000 predictions", 0.25))
STARTING = (
    "Starting: what the first epoch of a process takes beyond a steady one; that is compiling, "
    "where a library does."
)
HOLLOW = "Hollow: not to be ranked, for the reason below the table."
LONGEST = 40  # epochs that the curves of whole trainings show


def drawn_lines(found: Summary) -> list[tuple[Line, Style]]:
    """Return all lines with their styles; joules that are not to be ranked carry a star."""
    names = [one.name + ("" if _solid(one) else " *") for one in found.lines]
    return list(zip(found.lines, styles(names, range(len(names))), strict=True))


def epoch_charts(found: Summary) -> list[Chart]:
    """Time and joules of a steady epoch."""
    lines = drawn_lines(found)
    timed = [(one.cost.epoch_s, style) for one, style in lines if one.cost.epoch_s]
    charts = []
    if timed:
        spans = [(value.low, value.high) for value, _ in timed]
        values = [value.value for value, _ in timed]
        charts.append(
            bars.time_bars("Time per epoch", [style for _, style in timed], values, spans, SPAN)
        )
    metered = [(one, style) for one, style in lines if one.cost.epoch_j]
    if metered:
        parts = [((one.cost.epoch_j.value, _solid(one)),) for one, _ in metered if one.cost.epoch_j]
        title = "Compute energy per epoch"
        spans = [
            (one.cost.epoch_j.low, one.cost.epoch_j.high) for one, _ in metered if one.cost.epoch_j
        ]
        chart = _joule_bars(title, "epoch-j", [style for _, style in metered], parts, (), spans)
        hollow = any(not _solid(one) for one, _ in metered)
        notes = filter(None, [chart.note, HOLLOW if hollow else ""])
        charts.append(chart._replace(note=" ".join(notes)))
    return charts


def _solid(one: Line) -> float:
    """Opacity of joules: none where a gate keeps them out of rankings."""
    return float(one.cost.epoch is None or one.is_ranked)


def way_charts(found: Summary) -> list[Chart]:
    """Joules to the target by phase, accuracy against joules, whole trainings over epochs."""
    return [*_phases(found), *_accuracy_for_energy(found), *_whole_trainings(found)]


def _phases(found: Summary) -> list[Chart]:
    drawn, parts = [], []
    for one, style in drawn_lines(found):
        cost, n = one.cost, one.way.n
        if cost.first_j is None or cost.epoch_j is None or n is None:
            continue
        whole = cost.first_j + (n - 1) * cost.epoch_j.value
        starting = max(cost.first_j - cost.epoch_j.value, 0.0)
        phases = [(starting, 1.0), (whole - starting, 0.6)]
        if one.predictions and one.predictions.is_ranked and one.predictions.value:
            phases.append((one.predictions.value.value, 0.25))
        drawn.append(style)
        parts.append(tuple(phases))
    if not drawn:
        return []
    title = f"Compute energy to {found.target}, and to predict"
    note = f"{STARTING}{_disturbed(found)}"
    return [_joule_bars(title, "to-target-j", drawn, parts, PHASES)._replace(note=note)]


def _disturbed(found: Summary) -> str:
    """Say whose first epochs no ranking could count, where only these are the reason."""
    names = [
        one.name
        for one in found.lines
        if one.is_ranked and one.cost.first and not one.cost.is_way_ranked
    ]
    if not names:
        return ""
    return f" Too few rounds of the first epoch count to rank this of {listed(names)}."


class _Curve(NamedTuple):
    """Accuracy of a contender against the joules that it had spent, epoch by epoch."""

    style: Style
    joules: list[float]
    accuracy: list[float]  # in %
    is_ranked: bool


def _accuracy_for_energy(found: Summary) -> list[Chart]:
    """Accuracy on the test images against the compute energy spent until then."""
    curves: list[_Curve] = []
    for one, style in drawn_lines(found):
        accuracy = _accuracy(found, one)
        spent = [_spent(one.cost, epoch) for epoch in range(1, len(accuracy) + 1)]
        if accuracy and None not in spent:
            joules = [value for value in spent if value is not None]
            curves.append(_Curve(style, joules, accuracy, one.cost.is_way_ranked))
    if not curves:
        return []
    title = "Accuracy for compute energy"
    figure, axes = new_axes(2.9)
    ranked = [(x, y) for _, x, y, is_ranked in curves if is_ranked]
    front = [
        [is_ranked and _is_best(point, ranked) for point in zip(x, y, strict=True)]
        for _, x, y, is_ranked in curves
    ]
    for (style, x, y, _), best in zip(curves, front, strict=True):
        axes.plot(x, y, color=style.colour, linewidth=1.6, linestyle=style.line, alpha=0.45)
        for size, alpha, among in ((3.0, 0.45, False), (6.0, 1.0, True)):
            places = [place for place, is_best in enumerate(best) if is_best is among]
            axes.plot(
                [x[place] for place in places],
                [y[place] for place in places],
                color=style.colour,
                linestyle="none",
                marker=style.marker,
                markersize=size,
                alpha=alpha,
            )
    everywhere = [value for curve in curves for value in curve.joules]
    if wide := is_wide(everywhere):
        log_axis(axes.xaxis, axes.set_xscale, everywhere)
    axes.set_xlabel(f"{JOULES}{LOG if wide else ''}")
    axes.set_ylabel("test accuracy, %")
    axes.grid(visible=True)
    head = [
        "backend",
        "J after the first epoch",
        "accuracy, %",
        "J after all epochs",
        "accuracy, %",
        "epochs on the front",
    ]
    rows = [
        [
            *(style.name, significant(x[0]), f"{y[0]:.2f}", significant(x[-1]), f"{y[-1]:.2f}"),
            ", ".join(str(epoch) for epoch, is_best in enumerate(best, 1) if is_best) or ABSENT,
        ]
        for (style, x, y, _), best in zip(curves, front, strict=True)
    ]
    note = (
        "A point per epoch, seed 0. The large points are the Pareto front: nobody was as accurate "
        f"for less, as far as medians tell; who carries a star is not on it.{_disturbed(found)}"
    )
    svg = inline_svg(figure, "pareto", title, said(head, rows))
    return [Chart(title, svg, note, head, rows)]


def _is_best(
    point: tuple[float, float], curves: Sequence[tuple[Sequence[float], Sequence[float]]]
) -> bool:
    """Tell whether no other point is as accurate for less, or more so for as much."""
    joules, accuracy = point
    return not any(
        (j <= joules and a >= accuracy) and (j, a) != point
        for x, y in curves
        for j, a in zip(x, y, strict=True)
    )


def _whole_trainings(found: Summary) -> list[Chart]:
    """Time of a training, its first epoch included, over its number of epochs."""
    drawn = [
        (style, one.cost.first_s, one.cost.epoch_s.value)
        for one, style in drawn_lines(found)
        if one.cost.first_s is not None and one.cost.epoch_s
    ]
    if not drawn:
        return []
    title, epochs = "Time of a whole training", range(1, LONGEST + 1)
    figure, axes = new_axes(2.9)
    for style, first_s, epoch_s in drawn:
        axes.plot(
            epochs,
            [first_s + (n - 1) * epoch_s for n in epochs],
            color=style.colour,
            linestyle=style.line,
            linewidth=1.6,
            marker=style.marker,
            markevery=LONGEST // 5,
            markersize=4.5,
        )
    axes.set_xlim(0, LONGEST)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("epochs")
    axes.set_ylabel("s, first epoch included")
    axes.grid(visible=True)
    head = ["backend", "1 epoch", "10 epochs", f"{LONGEST} epochs"]
    rows = [
        [style.name, *(duration(first_s + (n - 1) * epoch_s) for n in (1, 10, LONGEST))]
        for style, first_s, epoch_s in drawn
    ]
    note = (
        "Where lines cross, a contender that compiles has made up for it. Computed from the first "
        "epoch and a steady one."
    )
    svg = inline_svg(figure, "whole-s", title, said(head, rows))
    return [Chart(title, svg, note, head, rows)]


def _joule_bars(
    title: str,
    name: str,
    drawn: Sequence[Style],
    parts: Sequence[Sequence[tuple[float, float]]],
    key: Sequence[tuple[str, float]],
    spans: Sequence[tuple[float, float]] = (),
) -> Chart:
    """Bars of joules in parts, (joules, opacity) each; and lines over spans of the whole."""
    totals = [sum(joules for joules, _ in part) for part in parts]
    extra = 0.3 if key else 0.0
    wide = not key and is_wide(totals)  # parts of a bar mean nothing on a logarithmic axis
    reach = [*totals, *(high for _, high in spans)]
    figure, axes = bars.bar_axes([style.name for style in drawn], reach, log=wide, extra_in=extra)
    for place, (style, part, total) in enumerate(zip(drawn, parts, totals, strict=True)):
        left = 0.0
        for joules, opacity in part:
            face: Any = (style.colour, opacity)
            axes.barh(place, joules, 0.6, left, facecolor=face, edgecolor=style.colour)
            left += joules
        if spans:
            bars.draw_span(axes, spans[place], place)
        end = max([total, *(high for _, high in spans[place : place + 1])])
        bars.write_value(axes, end, place, f"{significant(total)} J")
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.set_xlabel(f"{JOULES}{LOG if wide else ''}")
    if key:
        bars.component_key(figure, key)
    head = ["backend", *(f"{phase}, J" for phase, _ in key), "all, J"]
    rows = [
        [
            style.name,
            *(number(part[i][0] if i < len(part) else None) for i in range(len(key))),
            significant(total),
        ]
        for style, part, total in zip(drawn, parts, totals, strict=True)
    ]
    note = ""
    if any(map(bars.has_width, spans)):
        note = f"Thin line: {SPAN}."
        head.append(SPAN)
        for row, ends in zip(rows, spans, strict=True):
            row.append(bars.span_text(ends, "J"))
    return Chart(title, inline_svg(figure, name, title, said(head, rows)), note, head, rows)


def _accuracy(found: Summary, one: Line) -> list[float]:
    seeds = seeds_of(found.document, one.name)
    return [100 * value for value in seeds[0]["accuracy"]] if seeds else []


def _spent(cost: Cost, epoch: int) -> float | None:
    if cost.first_j is None or cost.epoch_j is None:
        return None
    return cost.first_j + (epoch - 1) * cost.epoch_j.value
