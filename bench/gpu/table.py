"""The result in at most fifteen lines."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.gpu.problems import PROBLEMS
from bench.gpu.settings import DEVICES

MOST_COMPLAINTS = 7
SHOWN = ("s", "m", "l", "xl")
PEER = "torch:graph"


def table(report: dict[str, Any], out: Path | None) -> list[str]:
    """Return one line per backend, the parts that did not run, and a verdict."""
    names = [problem.name for problem in PROBLEMS if problem.name in SHOWN]
    lines = [
        f"{'backend':12}{'device':9}{'error f64':>10}{'error f32':>10}{'accuracy':>9}"
        + "".join(f"{'samples/s ' + name:>14}" for name in names)
    ]
    for backend in (*DEVICES, PEER):
        rows = list(_rows(report["parts"], backend))
        if rows:
            speeds = [_cell(_speed(rows, name), ",.0f") for name in names]
            lines.append(
                f"{backend:12}{rows[0]['device']:9}{_cell(_error(rows, 'float64'), '.0e'):>10}"
                f"{_cell(_error(rows, 'float32'), '.0e'):>10}{_cell(_accuracy(rows), '.4f'):>9}"
                + "".join(f"{speed:>14}" for speed in speeds)
            )
    return [*lines, *_complaints(report["parts"]), _verdict(report, out)]


def _rows(parts: Sequence[dict[str, Any]], backend: str) -> Iterator[dict[str, Any]]:
    for part in parts:
        for row in part["rows"]:
            is_full = row.get("precision", "float32") == "float32"
            if row.get("backend") == backend and is_full and "device" in row:
                yield row


def _error(rows: Sequence[dict[str, Any]], dtype: str) -> float | None:
    """Return the largest error; NaN where one was not finite, None where none was looked for."""
    found = [row["errors"].values() for row in rows if "errors" in row and row["dtype"] == dtype]
    errors = [error for values in found for error in values]
    if not errors:
        return None
    return math.nan if None in errors else max(errors)


def _accuracy(rows: Sequence[dict[str, Any]]) -> float | None:
    found = [row["test_accuracy"] for row in rows if "test_accuracy" in row]
    return statistics.fmean(found) if found else None


def _speed(rows: Sequence[dict[str, Any]], problem: str) -> float | None:
    found = [
        row["samples_per_s"]
        for row in rows
        if row.get("problem") == problem and "samples_per_s" in row and "asked" not in row
    ]
    return statistics.fmean(found) if found else None


def _cell(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _complaints(parts: Sequence[dict[str, Any]]) -> list[str]:
    lines = [
        one_line(f"{part['name']}: {part['status']}, {part['reason']}", 110)
        for part in parts
        if part["status"] != "ok"
    ]
    more = len(lines) - MOST_COMPLAINTS
    return lines if more <= 0 else [*lines[:MOST_COMPLAINTS], f"... and {more} more in the file"]


def one_line(text: str, most: int) -> str:
    r"""Return a text without its line breaks, cut where it is too long.

    Examples
    --------
    >>> one_line("out of memory:\n  8 GiB", 80), one_line("out of memory", 8)
    ('out of memory: 8 GiB', 'out o...')
    """
    words = " ".join(text.split())
    return words if len(words) <= most else words[: most - 3] + "..."


def _verdict(report: dict[str, Any], out: Path | None) -> str:
    states = [part["status"] for part in report["parts"]]
    counts = ", ".join(
        f"{states.count(state)} {state}"
        for state in ("ok", "skipped", "timeout", "failed")
        if state in states
    )
    where = f"written to {out}" if out else "written nowhere"
    return one_line(f"{report['card']['statement']}; parts: {counts}; {where}", 400)
