"""``python -m bench.peers``, from the repository root: see README.md beside this."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.gpu.result_file import write_json
from bench.peers.configs import CONFIGS, QUICK_ROWS, Config
from bench.peers.options import add_data_dir, add_limits, count, keep_to, known, threads
from bench.peers.problem import Form
from bench.peers.table import print_tables
from bench.peers.turns import Plan, Row, run_config
from fastmlp.compare.config import cores
from fastmlp.compare.machine import machine_card

SCHEMA_VERSION = 2
ADAPTERS = "bench.peers.adapters"
PACKAGES = ("numpy",)
TURNS, QUICK_TURNS = 9, 3
GOOD = ("ok", "skipped")


def main(arguments: Sequence[str] | None = None, module: str = ADAPTERS) -> int:
    """Compare; return 0, 1 if a contender is missing, failed or disagreed, 2 for bad arguments."""
    forms: tuple[Form, ...] = import_module(module).FORMS
    parser = _parser(forms)
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # unwind: leave no child behind
    configs = _quick() if options.quick else {name: CONFIGS[name] for name in options.config}
    for name, config in configs.items():
        if all(form.task != config.task for form in options.contenders):
            names = ",".join(form.name for form in options.contenders)
            parser.error(
                f"argument --contenders: none of {names} has a form for {name}, which is to "
                f"{config.task}: take others, or another --config"
            )
    keep_to(options.threads)
    document: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "complete": False,
        "machine": machine_card({name: version(name) for name in PACKAGES}),
        "threads": options.threads,
        "turns": options.turns or (QUICK_TURNS if options.quick else TURNS),
        "runs": [],
    }
    console = Console(stderr=True)
    try:
        _compare(document, configs, options, module, _writer(options.json, document), console)
        document["complete"] = True
    finally:
        _writer(options.json, document)()
        print_tables(document, Console())
    statuses = {row["status"] for run in document["runs"] for row in run["rows"]}
    return int(not statuses <= set(GOOD))


def _compare(
    document: dict[str, Any],
    configs: dict[str, Config],
    options: argparse.Namespace,
    module: str,
    changed: Callable[[], None],
    console: Console,
) -> None:
    """Append run after run to the document; all configurations once, then all again."""
    n_runs = 1 if options.quick else options.runs
    for run in range(1, n_runs + 1):
        for name, config in configs.items():
            data_dir = None if config.layer_sizes[0] == 64 else options.data_dir
            data = "digits" if config.layer_sizes[0] == 64 else "MNIST" if data_dir else "images"
            able = [form for form in options.contenders if form.task == config.task]
            rows: list[Row] = []
            document["runs"].append(
                {"config": name, "run": run, "data": data, **config._asdict(), "rows": rows}
            )
            console.print(f"{name}, run {run} of {n_runs}: {len(able)} contenders")
            turns = document["turns"]
            plan = Plan(
                config,
                able,
                module,
                data_dir,
                options.threads,
                turns,
                options.timeout,
            )
            run_config(plan, rows, changed)


def _quick() -> dict[str, Config]:
    return {"s": CONFIGS["s"]._replace(n_rows=QUICK_ROWS)}


def _writer(path: Path | None, document: dict[str, Any]) -> Callable[[], None]:
    return lambda: write_json(path, document) if path else None


def _parser(forms: tuple[Form, ...]) -> argparse.ArgumentParser:
    """Refuse what cannot be run before anything is."""
    names = tuple(dict.fromkeys(form.name for form in forms))

    def contenders(text: str) -> list[Form]:
        wanted = known(text, names, "contender")
        return [form for form in forms if form.name in wanted]

    parser = argparse.ArgumentParser(
        prog="python -m bench.peers",
        description="Time everybody's training and predictions, side by side, on the CPU.",
    )
    parser.add_argument(
        "--config",
        type=lambda text: known(text, CONFIGS, "configuration"),
        default=tuple(CONFIGS),
        help=f"some of {','.join(CONFIGS)}; all unless given",
    )
    parser.add_argument("--quick", action="store_true", help="a look at s, in about two minutes")
    parser.add_argument(
        "--contenders",
        type=contenders,
        default=list(forms),
        help=f"some of {','.join(names)}; each where it has a form for the configuration's task",
    )
    parser.add_argument("--runs", type=count, default=3, help="each in new processes (3)")
    parser.add_argument("--turns", type=count, help=f"that are timed in a run ({TURNS})")
    parser.add_argument("--threads", type=threads, default=cores(), help="all cores unless given")
    add_data_dir(parser)
    add_limits(parser, "turn")
    return parser


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("interrupted; what had been timed is above, and in the file", file=sys.stderr)
        sys.exit(1)
