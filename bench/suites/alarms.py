"""``python -m bench.suites.alarms``: how far `fastmlp bench compare` can be trusted on a machine.

Runs the pieces of a training step again and again: as they are, and with a step that is slowed
down by 30 %. Each run is compared with the one before it. Slowdowns should be found, and equal runs
should raise no alarm.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.gpu.result_file import write_json
from bench.peers.options import count
from bench.suites.contenders import names
from bench.suites.profiles import PROFILES
from bench.suites.run import Plan, run
from fastmlp.bench import Comparison, Document, compare, read
from fastmlp.compare.config import cores

PIECES = ("-k", "piece")
SLOWED = (*PIECES, "-p", "bench.suites.slowed")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print how many slowdowns were found, and how many pairs of equal runs raised an alarm."""
    parser = argparse.ArgumentParser(prog="python -m bench.suites.alarms", description=__doc__)
    parser.add_argument("--backend", choices=names(), default="numpy")
    parser.add_argument("--pairs", type=count, default=10)
    parser.add_argument("--profile", choices=tuple(PROFILES), default="smoke")
    options = parser.parse_args(arguments)
    plan = Plan(PROFILES[options.profile], ("speed",), (options.backend,), cores())
    found = false = 0
    with tempfile.TemporaryDirectory() as folder:
        before = _run(plan._replace(options=PIECES), Path(folder))
        for pair in range(1, options.pairs + 1):
            slowed = _run(plan._replace(options=SLOWED), Path(folder))
            after = _run(plan._replace(options=PIECES), Path(folder))
            noticed = "step" in _worse(compare(before, slowed))
            alarms = _worse(compare(before, after))
            found, false, before = found + noticed, false + bool(alarms), after
            print(
                f"{pair}: slowdown {'found' if noticed else 'missed'}, "
                f"equal: {', '.join(alarms) or 'no alarm'}",
                flush=True,
            )
    print(
        f"{options.backend}: {found} of {options.pairs} slowdowns found, "
        f"{false} of {options.pairs} equal pairs with an alarm"
    )
    return 0


def _run(plan: Plan, folder: Path) -> Document:
    path = folder / "bench.json"
    write_json(path, run(plan, lambda turn, number, total: None).content)
    return read(path)


def _worse(comparison: Comparison) -> list[str]:
    return [change.name for change in comparison.regressions]


if __name__ == "__main__":
    sys.exit(main())
