"""``python -m bench.suites.alarms``: how far `fastmlp bench compare` can be trusted on a machine.

Runs the pieces of a training step again and again: as they are, and with a step that is slowed
down by 30 %. Each run is compared with the one before it. Slowdowns should be found, and equal runs
should raise no alarm. ``--save MACHINE`` keeps the outcome under ``bench/results/MACHINE``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fastmlp
from bench.gpu.result_file import write_json
from bench.peers.options import count
from bench.suites.contenders import find
from bench.suites.profiles import PROFILES
from bench.suites.run import Plan, folder_of, run
from fastmlp.backends import backend_names
from fastmlp.bench import Comparison, Document, compare, read
from fastmlp.compare.config import cores
from fastmlp.compare.machine import machine_card

WITH_PIECES = (*backend_names(), "pytorch")  # the others have no call for a step alone
PIECES = ("-k", "piece")
SLOWED = (*PIECES, "-p", "bench.suites.slowed")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print how many slowdowns were found, and how many pairs of equal runs raised an alarm."""
    parser = argparse.ArgumentParser(prog="python -m bench.suites.alarms", description=__doc__)
    parser.add_argument("--backend", choices=WITH_PIECES, default="numpy")
    parser.add_argument("--pairs", type=count, default=10)
    parser.add_argument("--profile", choices=tuple(PROFILES), default="smoke")
    parser.add_argument("--save", metavar="MACHINE", help="keep the outcome under bench/results")
    options = parser.parse_args(arguments)
    path = folder_of(options.save) / "alarms" / f"{options.backend}.json" if options.save else None
    plan = Plan(PROFILES[options.profile], ("speed",), (options.backend,), cores())
    pairs: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        before = _run(plan._replace(options=PIECES), Path(folder))
        runs = [_rounds(before)]
        for number in range(1, options.pairs + 1):
            slowed = _run(plan._replace(options=SLOWED), Path(folder))
            after = _run(plan._replace(options=PIECES), Path(folder))
            pairs.append(
                {
                    "slowed": _changes(compare(before, slowed)),
                    "equal": _changes(compare(before, after)),
                }
            )
            runs += [_rounds(slowed), _rounds(after)]
            before = after
            print(f"{number}: {_words(pairs[-1])}", flush=True)
    content = {
        "datetime": datetime.now(UTC).isoformat(timespec="seconds"),
        "fastmlp_version": fastmlp.__version__,
        "machine": machine_card({options.backend: find(options.backend).version}),
        "profile": options.profile,
        "backend": options.backend,
        "found": sum(_is_found(pair) for pair in pairs),
        "false": sum(bool(_alarms(pair)) for pair in pairs),
        "pairs": pairs,
        "runs": runs,  # a first one as it is, then one that is slowed down and one that is not
    }
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, content)
    print(
        f"{options.backend}: {content['found']} of {len(pairs)} slowdowns found, "
        f"{content['false']} of {len(pairs)} equal pairs with an alarm"
    )
    return 0


def _run(plan: Plan, folder: Path) -> Document:
    path = folder / "bench.json"
    write_json(path, run(plan, lambda turn, number, total: None).content)
    return read(path)


def _rounds(document: Document) -> dict[str, Any]:
    """Times of each figure and of the probe beside them, in microseconds."""
    return {
        figure.name: {
            "unit_us": [round(1e6 * time_s, 2) for time_s in figure.unit_s],
            "probe_us": [round(1e6 * time_s) for time_s in figure.probe_s],
            "block": list(figure.block),
        }
        for figure in document.figures
    }


def _changes(comparison: Comparison) -> dict[str, Any]:
    """Verdict and ratio, with its interval, of each figure."""
    return {
        change.name: {"verdict": change.verdict, "ratio": [round(x, 4) for x in change.ratio]}
        for change in comparison.changes
    }


def _is_found(pair: dict[str, Any]) -> bool:
    return bool(pair["slowed"]["step"]["verdict"] == "worse")


def _alarms(pair: dict[str, Any]) -> list[str]:
    return [name for name, change in pair["equal"].items() if change["verdict"] == "worse"]


def _words(pair: dict[str, Any]) -> str:
    found = "found" if _is_found(pair) else "missed"
    return f"slowdown {found}, equal: {', '.join(_alarms(pair)) or 'no alarm'}"


if __name__ == "__main__":
    sys.exit(main())
