"""The results of one machine, as they lie in its folder."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from bench.peers.ratios import Row

Document = dict[str, Any]
FILES = ("peers", "scaling", "cold")
YARDSTICK = "numpy:plain"  # of a cold start


class Results(NamedTuple):
    """The files of a folder; None where one is not there yet."""

    machine: str  # name of the folder
    peers: Document | None
    scaling: Document | None
    cold: Document | None

    @property
    def present(self) -> dict[str, Document]:
        """Return the files that are there, by name."""
        files = dict(zip(FILES, self[1:], strict=True))
        return {name: document for name, document in files.items() if document is not None}


class Start(NamedTuple):
    """A program started afresh, once it has done its task; medians over the rounds."""

    name: str
    task: str  # "start", or "memory" of a training
    status: str
    reason: str
    wall_s: float | None
    to_yardstick: float | None  # its time over that of `YARDSTICK` in the same round
    peak_rss_bytes: float | None
    extra_bytes: float | None  # of "memory": beside imports and data


def find_folder(root: Path) -> Path:
    """Return the one folder below root that holds results.

    Raises
    ------
    ValueError
        There is none, or more than one.
    """
    found = sorted({path.parent for name in FILES for path in root.glob(f"*/{name}.json")})
    if len(found) != 1:
        names = ", ".join(folder.name for folder in found) or "none"
        raise ValueError(
            f"{root} has results of {names}, expected those of one machine: name its folder with "
            "--results"
        )
    return found[0]


def read(folder: Path) -> Results:
    """Read what is there.

    Raises
    ------
    ValueError
        Nothing is, or a file is no JSON.
    """
    documents = [_load(folder / f"{name}.json") for name in FILES]
    if not any(documents):
        names = ", ".join(f"{name}.json" for name in FILES)
        raise ValueError(f"--results {folder} holds none of {names}, expected at least one of them")
    return Results(folder.name, *documents)


def _load(path: Path) -> Document | None:
    if not path.exists():
        return None
    try:
        document: Document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON ({error}): measure again") from None
    return document


def starts(cold: Document) -> list[Start]:
    """Return the cold starts, task by task, each beside the yardstick of its task."""
    found = []
    for task in cold.get("tasks", ()):
        yardstick: Row = next((row for row in task["rows"] if row["name"] == YARDSTICK), {})
        found += [_start(task["task"], row, yardstick) for row in task["rows"]]
    return found


def _start(task: str, row: Row, yardstick: Row) -> Start:
    status = row.get("status", "ok")
    figures = row if status in ("ok", "running") else {}
    pairs = zip(figures.get("wall_s", ()), yardstick.get("wall_s", ()), strict=False)
    return Start(
        row["name"],
        task,
        status,
        row.get("reason", ""),
        _median(figures.get("wall_s", ())),
        _median([own_s / other_s for own_s, other_s in pairs]),
        _median(figures.get("peak_rss_bytes", ())),
        _median(figures.get("extra_bytes", ())),
    )


def _median(values: Iterable[float | None]) -> float | None:
    """Median of what there is; None where there is nothing."""
    known = [value for value in values if value is not None]
    return float(statistics.median(known)) if known else None
