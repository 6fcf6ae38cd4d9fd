"""Bars: time per epoch, first call, energy with CO2e."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastmlp.compare.cells import label
from fastmlp.compare.charts import Series, series
from fastmlp.compare.results import Results, Run
from fastmlp.compare.verdict import has_short_window, middle_half
from fastmlp.page import bars
from fastmlp.page.blocks import Chart, said
from fastmlp.page.svg import inline_svg
from fastmlp.page.text import number, significant

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Component -> its name and the opacity of its part of the bar.
COMPONENTS = {"cpu_j": ("CPU", 1.0), "gpu_j": ("GPU", 0.6), "ram_j": ("memory", 0.25)}
SPAN = "the middle half of the epochs"


def time_bars(results: Results) -> list[Chart]:
    """Median time of an epoch and, apart from it, the time of the first call."""
    timed = [one for one in series(results) if one.run.median_epoch_s]
    called = [one for one in series(results) if one.run.first_call_s]
    charts = []
    if timed:
        medians_s = [one.run.median_epoch_s or 0.0 for one in timed]
        halves_s = [middle_half(one.run) for one in timed]
        charts.append(_time_bars("Time per epoch", timed, medians_s, halves_s))
    if called:
        first_s = [one.run.first_call_s or 0.0 for one in called]
        charts.append(_time_bars("First call", called, first_s, [(s, s) for s in first_s]))
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
            title, _draw_energy(title, drawn, parts, said(head, rows)), " ".join(notes), head, rows
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


def _time_bars(
    title: str, drawn: list[Series], times_s: list[float], halves_s: list[tuple[float, float]]
) -> Chart:
    return bars.time_bars(title, [one.style for one in drawn], times_s, halves_s, SPAN)


def _draw_energy(title: str, drawn: list[Series], parts: list[dict[str, float]], words: str) -> str:
    joules = [one.run.energy_j or 0.0 for one in drawn]
    names = [f"{one.style.name}\n{one.run.energy_source}" for one in drawn]
    figure, axes = bars.bar_axes(names, joules, log=False, extra_in=0.45, bar_in=0.46)
    for place, (one, total_j, part) in enumerate(zip(drawn, joules, parts, strict=True)):
        left_j, colour = 0.0, one.style.colour
        for name, part_j in (part or {"cpu_j": total_j}).items():
            opacity = 0.0 if has_short_window(one.run) else COMPONENTS[name][1]
            axes.barh(place, part_j, 0.6, left_j, facecolor=(colour, opacity), edgecolor=colour)
            left_j += part_j
        bars.write_value(axes, total_j, place, f"{significant(total_j)} J")
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.set_xlabel("energy, J")
    _co2e_axis(axes, [one.run for one in drawn])
    present = {name for part in parts for name in part}
    bars.component_key(figure, [look for name, look in COMPONENTS.items() if name in present])
    return inline_svg(figure, "energy", title, words)


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
