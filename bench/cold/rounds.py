"""Round after round: every contender once, in a process that knows nothing of the one before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from bench.cold.contenders import SCRIPTS, Contender
from bench.cold.process import run_script

Row = dict[str, Any]  # one contender, with a list of each figure, a place per round
FIGURES = ("wall_s", "cpu_s", "peak_rss_bytes", "extra_bytes")


def run_rounds(
    contenders: Sequence[Contender],
    files: Sequence[str],
    n_rounds: int,
    timeout_s: float,
    rows: list[Row],
    changed: Callable[[], None],
) -> None:
    """Fill ``rows``, one per contender; ``changed`` is called after each round.

    A round before the first is not kept: in it Python compiles what it imports, and the system
    reads it from the disk. Who fails is not started again.
    """
    rows += [_new_row(contender) for contender in contenders]
    for number in range(n_rounds + 1):
        for contender, row in zip(contenders, rows, strict=True):
            if row["status"] != "running":
                continue
            script = str(SCRIPTS / contender.script)
            found = run_script([script, *files, *contender.arguments], timeout_s)
            if found["status"] != "ok":
                row |= found
            elif number:
                row["accuracy"] = found["accuracy"]
                for figure in FIGURES:
                    row[figure].append(found.get(figure))
        changed()
    for row in rows:
        row["status"] = "ok" if row["status"] == "running" else row["status"]
    changed()


def _new_row(contender: Contender) -> Row:
    try:
        installed, status, reason = version(contender.package), "running", ""
    except PackageNotFoundError:
        status, reason = "not installed", f"there is no {contender.package} in this environment"
        installed = ""
    return {
        "name": contender.name,
        "package": contender.package,
        "version": installed,
        "description": contender.description,
        "status": status,
        "reason": reason,
        "accuracy": None,
        **{figure: [] for figure in FIGURES},
    }
