"""The columns of the suites' table, and how each number in them was obtained."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fastmlp.bench.ranking import Joules
from fastmlp.bench.statistics import Interval
from fastmlp.bench.summary import Line, Summary
from fastmlp.bench.training import timed
from fastmlp.energy import GridZone, co2e_mg
from fastmlp.page.blocks import Column
from fastmlp.page.text import ABSENT, number, ratio, significant, time_unit

UNRANKED = " *"  # behind joules that a gate keeps out of rankings
SPAN = "95 %: "  # before an interval


def columns(found: Summary, zone: GridZone) -> list[Column]:
    """All columns, one cell per contender."""
    lines, to = found.lines, f"to {found.target}"
    unit, per_s = time_unit([one.cost.epoch_s.value for one in lines if one.cost.epoch_s])
    accuracy = [one.way.accuracy for one in lines]
    stars = [star(one.cost.epoch) for one in lines]
    way_stars = [star(one.cost.target) for one in lines]
    return [
        Column("backend", "", "what computes", [one.name for one in lines], numeric=False),
        Column(
            "test",
            "acc. %",
            "share of the test images classified right after all epochs, judged by the weights in "
            "float64; the median of the seeds",
            [ABSENT if value is None else f"{100 * value:.2f}" for value in accuracy],
            hints=[f"{one.way.seeds} seeds" for one in lines],
        ),
        Column(
            "epochs",
            to,
            f"first epoch after which {found.target} of the test images are right; the median of "
            "the seeds, a dash where a seed did not get there",
            [ABSENT if one.way.n is None else f"{one.way.n:g}" for one in lines],
            hints=[f"of the seeds: {', '.join(map(str, one.way.epochs)) or '-'}" for one in lines],
        ),
        _interval(
            "epoch",
            unit,
            f"time of a steady epoch {found.epoch}, data on the device; the median of the rounds"
            f"{_figure(found)}",
            [one.cost.epoch_s for one in lines],
            lambda s: significant(s * per_s),
        ),
        _interval(
            "vs",
            "keras",
            "epochs in the time of one of the reference: 2.0x is twice as fast",
            [one.speed for one in lines],
            ratio,
        ),
        Column(
            "first",
            "epoch s",
            "first epoch of a process, in which libraries trace and compile; the median",
            [number(one.cost.first_s) for one in lines],
        ),
        _interval(
            "epoch",
            "J",
            "compute energy (CPU, and a GPU if it was used) of a steady epoch; the median of the "
            "rounds that no gate keeps out",
            [one.cost.epoch_j for one in lines],
            significant,
            stars,
        ),
        _interval(
            to,
            "s",
            "the first epoch and steady ones up to the number that the seeds took, all under the "
            "energy meter",
            [one.cost.target_s for one in lines],
            significant,
        ),
        _interval(
            to,
            "J",
            "the same in compute energy",
            [one.cost.target_j for one in lines],
            significant,
            way_stars,
        ),
        _interval(
            to,
            "mg CO2e",
            f"these joules on the grid {zone.zone}, {significant(zone.g_per_kwh)} "
            f"g/kWh ({zone.year})",
            [_on_grid(one.cost.target_j, zone) for one in lines],
            significant,
            way_stars,
        ),
        Column(
            "energy",
            "source",
            "weakest label of the compute energy: measured (a counter), sampled (a sensor, "
            "polled), estimated (a model turns time into joules), assumed, absent",
            [one.cost.epoch.source if one.cost.epoch else ABSENT for one in lines],
            numeric=False,
            hints=[_rounds(one) for one in lines],
        ),
    ]


def star(found: Joules | None) -> str:
    """Return what stands behind joules that are not to be ranked."""
    return "" if found is None or found.is_ranked else UNRANKED


def spans(found: Summary, zone: GridZone) -> tuple[list[str], list[list[str]]]:
    """Write the columns that have intervals with them: head, and a row per contender."""
    name, *others = columns(found, zone)
    shown = [one for one in others if any(hint.startswith(SPAN) for hint in one.hints)]
    head = [name.name, *(f"{one.name} {one.unit}" for one in shown)]
    rows = [
        [cell, *(_spelled(one.cells[row], one.hints[row]) for one in shown)]
        for row, cell in enumerate(name.cells)
    ]
    return head, rows


def _spelled(cell: str, hint: str) -> str:
    return f"{cell} ({hint.removeprefix(SPAN)})" if hint.startswith(SPAN) else cell


def _interval(
    name: str,
    unit: str,
    meaning: str,
    values: Sequence[Interval | None],
    show: Callable[[float], str],
    stars: Sequence[str] | None = None,
) -> Column:
    marked = zip(values, stars or [""] * len(values), strict=True)
    return Column(
        name,
        unit,
        meaning,
        [ABSENT if value is None else show(value.value) + mark for value, mark in marked],
        hints=[_span(value, show) for value in values],
    )


def _span(value: Interval | None, show: Callable[[float], str]) -> str:
    if value is None:
        return "not known"
    if not value.has_width:
        return "no interval"
    return f"{SPAN}{show(value.low)} to {show(value.high)}"


def _on_grid(joules: Interval | None, zone: GridZone) -> Interval | None:
    if joules is None:
        return None
    return Interval(*(co2e_mg(value, zone.g_per_kwh) or 0.0 for value in joules))


def _figure(found: Summary) -> str:
    """Where the times of epochs are taken from."""
    own = [timed(found.document, one.name) for one in found.lines]
    return next((f" of {figure.name}" for figure in own if figure), "")


def _rounds(one: Line) -> str:
    epoch = one.cost.epoch
    if epoch is None:
        return "no energy was asked for"
    left_out = ", ".join(f"{n} for {flag}" for flag, n in sorted(epoch.left_out.items()))
    return f"{epoch.rounds} rounds count" + (f"; left out: {left_out}" if left_out else "")
