"""``python -m bench.scaling``, from the repository root: see README.md beside this."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import version
from typing import Any

from rich.console import Console

from bench.gpu.result_file import write_json
from bench.peers.options import add_limits, count, keep_to, known, threads
from bench.peers.problem import Form
from bench.scaling.findings import FLOOR, PARTS, backend_of
from bench.scaling.measure import Measure
from bench.scaling.sizes import FULL, QUICK, Sizes
from bench.scaling.table import print_tables
from fastmlp.compare.config import cores
from fastmlp.compare.machine import machine_card

SCHEMA_VERSION = 1
ADAPTERS = "bench.peers.adapters"
TURNS, QUICK_TURNS = 7, 2
GOOD = ("ok", "skipped")


def main(
    arguments: Sequence[str] | None = None, module: str = ADAPTERS, sizes: Sizes = FULL
) -> int:
    """Time all sizes; return 0, 1 if a backend is missing or failed, 2 for bad arguments."""
    forms: tuple[Form, ...] = import_module(module).FORMS
    options = _parser(backends_of(forms)).parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # unwind: leave no child behind
    keep_to(options.threads)
    document: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "complete": False,
        "machine": machine_card({"numpy": version("numpy")}),
        "threads": options.threads,
        "turns": options.turns or (QUICK_TURNS if options.quick else TURNS),
        **{part: [] for part in PARTS},
    }

    def changed() -> None:
        if options.json:
            write_json(options.json, document)

    floor = next(form for form in forms if form.name == FLOOR)
    console = Console(stderr=True)
    measure = Measure(document, options.backends, floor, module, options.timeout, changed, console)
    try:
        measure.all(QUICK if options.quick else sizes)
        document["complete"] = True
    finally:
        changed()
        print_tables(document, Console())
    return int(not set(_statuses(document)) <= set(GOOD))


def backends_of(forms: Sequence[Form]) -> dict[str, Form]:
    """Find the form that trains with each backend."""
    ours = [form for form in forms if form.kind == "fastmlp" and form.task == "train"]
    return {backend_of(form._asdict()): form for form in ours}


def _statuses(document: dict[str, Any]) -> Iterator[str]:
    for part in PARTS:
        for entry in document[part]:
            yield from (row["status"] for row in entry["rows"])
            if entry.get("numpy"):
                yield entry["numpy"]["status"]


def _parser(by_backend: dict[str, Form]) -> argparse.ArgumentParser:
    """Refuse what cannot be run before anything is."""

    def backends(text: str) -> list[Form]:
        return [by_backend[name] for name in known(text, by_backend, "backend with a CPU")]

    parser = argparse.ArgumentParser(
        prog="python -m bench.scaling",
        description="Time how a training step grows with its size, and what it is spent on.",
    )
    parser.add_argument("--quick", action="store_true", help="few small sizes, to see that it runs")
    parser.add_argument(
        "--backends",
        type=backends,
        default=list(by_backend.values()),
        help=f"some of {','.join(by_backend)}; all unless given",
    )
    parser.add_argument("--turns", type=count, help=f"that are timed of each size ({TURNS})")
    parser.add_argument("--threads", type=threads, default=cores(), help="all cores unless given")
    add_limits(parser, "turn")
    return parser


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("interrupted; what had been timed is above, and in the file", file=sys.stderr)
        sys.exit(1)
