"""``python -m bench.cold``, from the repository root: see README.md beside this."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from bench.cold.contenders import CONTENDERS, Contender
from bench.cold.rounds import Row, run_rounds
from bench.cold.table import print_tables
from bench.gpu.problems import generated_images
from bench.gpu.result_file import write_json
from bench.peers.options import add_data_dir, add_limits, count, known
from bench.peers.process import ROOT
from fastmlp.compare.machine import machine_card
from fastmlp.data import load_mnist

SCHEMA_VERSION = 1
TASKS = ("start", "memory")
DIGITS = ROOT / "fastmlp" / "data" / "digits.npz"
N_IMAGES = 60_000


def main(
    arguments: Sequence[str] | None = None, contenders: Sequence[Contender] = CONTENDERS
) -> int:
    """Measure; return 0, 1 if a contender is missing, failed or was wrong, 2 for bad arguments."""
    options = _parser(contenders).parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # unwind: leave no child behind
    document: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "complete": False,
        "machine": machine_card({"numpy": version("numpy")}),
        "rounds": options.runs,
        "tasks": [],
    }

    def changed() -> None:
        if options.json:
            write_json(options.json, document)

    try:
        with tempfile.TemporaryDirectory() as images:
            for task in options.task:
                _measure(task, document, options, Path(images), changed)
        document["complete"] = True
    finally:
        changed()
        print_tables(document, Console())
    return int(any(row["status"] != "ok" for run in document["tasks"] for row in run["rows"]))


def _measure(
    task: str,
    document: dict[str, Any],
    options: argparse.Namespace,
    images: Path,
    changed: Callable[[], None],
) -> None:
    """Append a task to the document, and run its rounds."""
    able = [contender for contender in options.contenders if contender.task == task]
    if not able:
        return
    files, data = [str(DIGITS)], "digits"
    if task == "memory":
        files, data = _write_images(options.data_dir, images)
    rows: list[Row] = []
    document["tasks"].append({"task": task, "data": data, "rows": rows})
    Console(stderr=True).print(f"{task}: {len(able)} contenders, {options.runs} rounds")
    run_rounds(able, files, options.runs, options.timeout, rows, changed)


def _write_images(data_dir: str | None, images: Path) -> tuple[list[str], str]:
    """Write X and labels as files that a script reads without holding more than them."""
    if data_dir is None:
        X, labels = generated_images(N_IMAGES, 0)
    else:
        mnist = load_mnist(data_dir)
        X, labels = mnist.X_train, mnist.y_train
    np.save(images / "X.npy", X)
    np.save(images / "labels.npy", labels)
    files = [str(images / "X.npy"), str(images / "labels.npy")]
    return files, "MNIST" if data_dir else "images"


def _parser(contenders: Sequence[Contender]) -> argparse.ArgumentParser:
    names = tuple(dict.fromkeys(contender.name for contender in contenders))

    def chosen(text: str) -> list[Contender]:
        wanted = known(text, names, "contender")
        return [contender for contender in contenders if contender.name in wanted]

    parser = argparse.ArgumentParser(
        prog="python -m bench.cold",
        description="Time and weigh whole fresh processes that import, train and predict.",
    )
    parser.add_argument(
        "--task",
        type=lambda text: known(text, TASKS, "task"),
        default=TASKS,
        help=f"some of {','.join(TASKS)}; all unless given",
    )
    parser.add_argument(
        "--contenders", type=chosen, default=list(contenders), help=f"some of {','.join(names)}"
    )
    parser.add_argument("--runs", type=count, default=7, help="rounds that are kept (7)")
    add_data_dir(parser)
    add_limits(parser, "process")
    return parser


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("interrupted; what had been measured is above, and in the file", file=sys.stderr)
        sys.exit(1)
