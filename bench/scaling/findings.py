"""What the turns say: times per step, where compiling pays, growth, what a step does."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple

from bench.peers.ratios import DISTURBED_FROM, Row, epoch_s, is_timed, named, ratio

Entry = dict[str, Any]  # sizes, and a row per contender
BASE, COMPILED, FLOOR = "numpy", "jax", "floor:blas"
DISPATCH = "dispatch"
PARTS = ("crossover", "growth", "breakdown")


class Cell(NamedTuple):
    """One size of the crossover."""

    batch_size: int
    width: int
    step_us: dict[str, float]  # of the backends that have a figure
    compile_s: float | None  # what the compiled backend's first epoch took longer than a later one

    @property
    def is_faster(self) -> bool | None:
        """Tell whether a compiled step is the faster one; None where one of the two is missing."""
        if BASE not in self.step_us or COMPILED not in self.step_us:
            return None
        return self.step_us[COMPILED] < self.step_us[BASE]

    @property
    def break_even_steps(self) -> int | None:
        """Steps after which compiling has paid for itself; None where it never does."""
        if not self.is_faster or self.compile_s is None:
            return None
        gained_us = self.step_us[BASE] - self.step_us[COMPILED]
        return math.ceil(1e6 * self.compile_s / gained_us)


class Growth(NamedTuple):
    """How a backend's epoch grows along an axis: time ~ size^exponent."""

    backend: str
    axis: str
    points: list[tuple[float, float]]  # (size, seconds)
    exponent: float | None
    upper_exponent: float | None  # of the upper half, where overhead no longer counts


class Breakdown(NamedTuple):
    """What a NumPy step spends its time on, and what JAX makes of the same floor."""

    config: str
    step_us: float | None
    floor_us: float | None
    parts_us: dict[str, float]  # of all kinds, then of dispatch: what no kind accounts for
    jax_to_floor: float | None  # speed over the floor's of the same run


def backend_of(row: Row) -> str:
    """Name the backend of a contender."""
    return str(row["name"]).partition(":")[2]


def timed(entry: Entry) -> dict[str, Row]:
    """Return the rows of the backends that have a figure, by backend."""
    rows = [row for row in entry["rows"] if row["kind"] == "fastmlp" and is_timed(row)]
    return {backend_of(row): row for row in rows}


def disturbed(document: dict[str, Any]) -> list[str]:
    """Say of how many sizes of each part the turns were disturbed by other work."""
    said = []
    for part in PARTS:
        entries = document[part]
        count = sum(map(_is_disturbed, entries))
        if count:
            said.append(f"{count} of {len(entries)} sizes of {part}")
    return said


def _is_disturbed(entry: Entry) -> bool:
    shares = [share for row in entry["rows"] for share in row["other_share"]]
    shares += [turn["other_share"] for turn in (entry.get("numpy") or {}).get("turns", ())]
    known = [share for share in shares if share is not None]
    return bool(known) and statistics.median(known) > DISTURBED_FROM


def cells(document: dict[str, Any]) -> list[Cell]:
    """Return the grid, in its order."""
    return [_cell(entry) for entry in document["crossover"]]


def _cell(entry: Entry) -> Cell:
    steps = entry["n_rows"] // entry["batch_size"]
    rows = timed(entry)
    compiled = rows.get(COMPILED)
    return Cell(
        entry["batch_size"],
        entry["layer_sizes"][1],
        {backend: 1e6 * epoch_s(row) / steps for backend, row in rows.items()},
        max(0.0, compiled["first_turn_s"] - epoch_s(compiled)) if compiled else None,
    )


def where_faster(row: Sequence[Cell]) -> str | None:
    """Say at which widths of one batch size, given in rising order, compiled steps are faster.

    Examples
    --------
    >>> def cell(width, jax_us):
    ...     return Cell(16, width, {"numpy": 10.0, "jax": jax_us}, 1.0)
    >>> where_faster([cell(16, 12.0), cell(64, 8.0), cell(256, 5.0)])
    'from 64 on'
    """
    known = [cell for cell in row if cell.is_faster is not None]
    if not known:
        return None
    faster = [cell.width for cell in known if cell.is_faster]
    widths = [cell.width for cell in known]
    if not faster:
        return "at no width"
    if faster == widths:
        return "at every width"
    if len(faster) > 1 and faster == widths[: len(faster)]:
        return f"up to {faster[-1]}"
    if faster == widths[-len(faster) :]:
        return f"from {faster[0]} on"
    return "at " + ", ".join(map(str, faster))


def growths(document: dict[str, Any]) -> list[Growth]:
    """Return an axis after the other, on it the backends in their order."""
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for entry in document["growth"]:
        size = entry["n_rows"] if entry["axis"] == "samples" else entry["layer_sizes"][1]
        for backend, row in timed(entry).items():
            found.setdefault((entry["axis"], backend), []).append((float(size), epoch_s(row)))
    return [
        Growth(backend, axis, points, exponent(points), exponent(upper_half(points)))
        for (axis, backend), points in found.items()
    ]


def exponent(points: Sequence[tuple[float, float]]) -> float | None:
    """Fit time = c size^exponent by least squares of the logarithms; None: too few points.

    Examples
    --------
    >>> exponent([(1.0, 3.0), (2.0, 12.0), (4.0, 48.0)])
    2.0
    """
    if len(points) < 2:
        return None
    sizes, times = zip(*points, strict=True)
    return statistics.linear_regression(
        [math.log2(size) for size in sizes], [math.log2(time) for time in times]
    ).slope


def upper_half(points: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    """Leave out the smaller half of the sizes; the middle one stays."""
    return sorted(points)[len(points) // 2 :]


def breakdowns(document: dict[str, Any]) -> list[Breakdown]:
    """Return the configurations in their order."""
    return [_breakdown(entry) for entry in document["breakdown"]]


def _breakdown(entry: Entry) -> Breakdown:
    of_floor = ratio(named(entry, f"fastmlp:{COMPILED}"), named(entry, FLOOR))
    turns = entry["numpy"]["turns"] if entry["numpy"] and entry["numpy"]["status"] == "ok" else []
    if not turns:
        return Breakdown(entry["config"], None, None, {}, of_floor)
    step_us = statistics.median(turn["step_us"] for turn in turns)
    parts_us = {
        kind: statistics.median(turn["parts_us"][kind] for turn in turns)
        for kind in turns[0]["parts_us"]
    }
    return Breakdown(
        entry["config"],
        step_us,
        statistics.median(turn["floor_us"] for turn in turns),
        {**parts_us, DISPATCH: step_us - sum(parts_us.values())},
        of_floor,
    )
