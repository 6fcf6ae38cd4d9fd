"""Fresh processes as tables in a terminal."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

Row = dict[str, Any]
EMPTY, OURS = "python:empty", "fastmlp:numpy"
MB = 1e6
COLUMNS = {
    "start": ("wall", "spread", "- empty", f"/ {OURS}", "CPU", "peak"),
    "memory": ("extra", "peak", "wall"),
}


def print_tables(document: dict[str, Any], console: Console) -> None:
    """Print a table per task, below it what has no figure."""
    for run in document["tasks"]:
        console.print(f"{run['task']}: {run['data']}", markup=False)
        table = Table("contender", *COLUMNS[run["task"]], box=box.SIMPLE, pad_edge=False)
        table.columns[0].no_wrap = True
        for column in table.columns[1:]:
            column.justify = "right"
        timed = [row for row in run["rows"] if row["wall_s"] and row["status"] in ("ok", "running")]
        by_name = {row["name"]: row for row in timed}
        for row in sorted(timed, key=lambda row: statistics.median(row["wall_s"])):
            make_cells = start_cells if run["task"] == "start" else memory_cells
            table.add_row(row["name"], *make_cells(row, by_name))
        console.print(table)
        for row in run["rows"]:
            if row["status"] not in ("ok", "running"):
                console.print(f"{row['name']}: {row['status']}: {row['reason']}", markup=False)


def start_cells(row: Row, by_name: dict[str, Row]) -> Iterator[str]:
    """Return medians over the rounds; differences and ratios are formed within a round."""
    wall_s = row["wall_s"]
    yield f"{statistics.median(wall_s):.3f} s"
    yield _spread(wall_s)
    yield _against(row, by_name.get(EMPTY), lambda a, b: a - b, "{:.3f} s")
    yield _against(row, by_name.get(OURS), lambda a, b: a / b, "{:.2f}")
    yield f"{statistics.median(row['cpu_s']):.3f} s"
    yield _megabytes(row["peak_rss_bytes"])


def memory_cells(row: Row, by_name: dict[str, Row]) -> Iterator[str]:
    """Return medians over the rounds."""
    yield _megabytes(row["extra_bytes"])
    yield _megabytes(row["peak_rss_bytes"])
    yield f"{statistics.median(row['wall_s']):.3f} s"


def _against(
    row: Row, other: Row | None, compare: Callable[[float, float], float], form: str
) -> str:
    if other is None:
        return "-"
    pairs = zip(row["wall_s"], other["wall_s"], strict=False)  # one may be a round ahead
    return form.format(statistics.median(compare(a, b) for a, b in pairs))


def _spread(wall_s: list[float]) -> str:
    if len(wall_s) < 2:
        return "-"
    low, middle, high = statistics.quantiles(wall_s, n=4)
    return f"{(high - low) / middle:.0%}"


def _megabytes(figures: list[float | None]) -> str:
    known = [figure for figure in figures if figure is not None]
    return f"{statistics.median(known) / MB:.1f} MB" if known else "-"
