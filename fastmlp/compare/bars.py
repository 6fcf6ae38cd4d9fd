"""Bars: time per epoch, first call, energy with CO2e."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fastmlp.compare.cells import duration, label, significant
from fastmlp.compare.charts import Chart, Series, is_wide, log_axis, new_axes, number, series
from fastmlp.compare.results import Results, Run
from fastmlp.compare.svg import INK, inline_svg
from fastmlp.compare.verdict import has_short_window, middle_half

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Component -> its name and the opacity of its part of the bar.
COMPONENTS = {"cpu_j": ("CPU", 1.0), "gpu_j": ("GPU", 0.6), "ram_j": ("memory", 0.25)}


def time_bars(results: Results) -> list[Chart]:
    """Median time of an epoch and, apart from it, the time of the first call."""
    timed = [one for one in series(results) if one.run.median_epoch_s]
    called = [one for one in series(results) if one.run.first_call_s]
    charts = []
    if timed:
        medians_s = [one.run.median_epoch_s or 0.0 for one in timed]
        halves_s = [middle_half(one.run) for one in timed]
        charts.append(_time_chart("Time per epoch", timed, medians_s, halves_s))
    if called:
        first_s = [one.run.first_call_s or 0.0 for one in called]
        charts.append(_time_chart("First call", called, first_s, [(s, s) for s in first_s]))
    return charts


def energy_bars(results: Results) -> list[Chart]:
    """Energy of the whole training in J and, on the upper axis, its CO2e in mg."""
    drawn = [one for one in series(results) if one.run.energy_j]
    if not drawn:
        return []
    title = "Energy and CO2e of the whole training"
    parts = [components(one.run) for one in drawn]
    present = [name for name in COMPONENTS if any(name in part for part in parts)]
    head = ["backend", "source", "energy, J", "CO2e, mg"]
    head += [f"{COMPONENTS[name][0]}, J" for name in present]
    rows = [
        [label(one.run), one.run.energy_source, number(one.run.energy_j), number(one.run.co2e_mg)]
        + [number(part.get(name)) for name in present]
        for one, part in zip(drawn, parts, strict=True)
    ]
    hollow = any(has_short_window(one.run) for one in drawn)
    notes = ["Parts in the proportions of the steady window."] if len(present) > 1 else []
    notes += ["Hollow: that window was too short to trust."] if hollow else []
    return [
        Chart(
            title, _draw_energy(title, drawn, parts, _said(head, rows)), " ".join(notes), head, rows
        )
    ]


def components(run: Run) -> dict[str, float]:
    """Joules of each known component of the whole training, in the proportions of the window."""
    window = run.energy.get("window", run.energy)
    known = {name: window[name] for name in COMPONENTS if window.get(name)}
    if window.get("device") == "cpu":
        known.pop("gpu_j", None)  # idle, and in no sum
    whole_j = sum(known.values())
    return {name: joules / whole_j * (run.energy_j or 0.0) for name, joules in known.items()}


def _time_chart(
    title: str, drawn: list[Series], times_s: list[float], halves_s: list[tuple[float, float]]
) -> Chart:
    figure, axes = _bar_axes([label(one.run) for one in drawn], times_s, log=is_wide(times_s))
    spread = False
    for place, (one, time_s, half_s) in enumerate(zip(drawn, times_s, halves_s, strict=True)):
        axes.barh(place, time_s, 0.6, color=one.colour)
        if half_s[0] < half_s[1]:
            spread = True
            axes.plot(half_s, (place, place), color=INK, linewidth=1.0, marker="|")
        _value(axes, max(time_s, half_s[1]), place, duration(time_s))
    head = ["backend", title.lower()]
    rows = [[label(one.run), duration(time_s)] for one, time_s in zip(drawn, times_s, strict=True)]
    svg = inline_svg(figure, title.lower().replace(" ", "-"), title, _said(head, rows))
    note = "Thin line: the middle half of the epochs." if spread else ""
    return Chart(title, svg, note, head, rows)


def _draw_energy(title: str, drawn: list[Series], parts: list[dict[str, float]], said: str) -> str:
    joules = [one.run.energy_j or 0.0 for one in drawn]
    names = [f"{label(one.run)}\n{one.run.energy_source}" for one in drawn]
    figure, axes = _bar_axes(names, joules, log=False, extra_in=0.45, bar_in=0.46)
    for place, (one, total_j, part) in enumerate(zip(drawn, joules, parts, strict=True)):
        left_j = 0.0
        for name, part_j in (part or {"cpu_j": total_j}).items():
            opacity = 0.0 if has_short_window(one.run) else COMPONENTS[name][1]
            face = (one.colour, opacity)
            axes.barh(place, part_j, 0.6, left_j, facecolor=face, edgecolor=one.colour)
            left_j += part_j
        _value(axes, total_j, place, f"{significant(total_j)} J")
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.set_xlabel("energy, J")
    _co2e_axis(axes, [one.run for one in drawn])
    _component_key(figure, {name for part in parts for name in part})
    return inline_svg(figure, "energy", title, said)


def _co2e_axis(axes: Axes, runs: list[Run]) -> None:
    from matplotlib.ticker import MaxNLocator

    mg_per_j = next((run.co2e_mg / run.energy_j for run in runs if run.co2e_mg and run.energy_j), 0)
    if mg_per_j:
        functions = (lambda joules: joules * mg_per_j, lambda mg: mg / mg_per_j)
        upper = axes.secondary_xaxis("top", functions=functions)
        upper.xaxis.set_major_locator(MaxNLocator(5))
        upper.xaxis.set_major_formatter("{x:,g}")
        upper.set_xlabel("CO2e, mg")
        upper.spines["top"].set_visible(True)


def _component_key(figure: Figure, present: set[str]) -> None:
    from matplotlib.patches import Patch

    handles = [
        Patch(facecolor=(INK, opacity), edgecolor=INK, label=name)
        for component, (name, opacity) in COMPONENTS.items()
        if component in present
    ]
    if len(handles) > 1:
        figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)


def _bar_axes(
    names: list[str],
    values: Sequence[float],
    *,
    log: bool,
    extra_in: float = 0.0,
    bar_in: float = 0.36,
) -> tuple[Figure, Axes]:
    figure, axes = new_axes(0.75 + bar_in * len(names) + extra_in)
    if log:
        log_axis(axes.xaxis, axes.set_xscale, values, _tick)
        low, high = min(values) / 3, max(values)
        axes.set_xlim(low, high * (high / low) ** 0.3)
        axes.set_xlabel("log scale")
    else:
        axes.set_xlim(0, max(values) * 1.3)
        axes.xaxis.set_major_formatter(lambda value, _: _tick(value))
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.45, -0.55)  # the first contender on top
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=True, axis="x")
    return figure, axes


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


def _value(axes: Axes, end: float, place: int, text: str) -> None:
    axes.annotate(text, (end, place), (5, 0), textcoords="offset points", va="center")


def _said(head: list[str], rows: list[list[str]]) -> str:
    lines = (
        ", ".join(f"{name} {cell}" for name, cell in zip(head, row, strict=True)) for row in rows
    )
    return "; ".join(lines) + "."
