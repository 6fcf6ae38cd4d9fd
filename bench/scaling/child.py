"""The inside of the process that takes a NumPy step apart: ``python -m bench.scaling.child``.

The whole step, its parts and the floor take turns in one process; a JSON line per turn.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from bench.gpu.child import line_writer
from bench.peers.adapters.fastmlp_ import Epochs
from bench.peers.adapters.floors import FORMS as FLOORS
from bench.peers.child import PRIORITY, busy_s
from bench.peers.configs import CONFIGS, make_problem
from bench.peers.problem import Contender, Problem
from bench.peers.turns import TURN_S
from bench.scaling.findings import FLOOR
from bench.scaling.parts import Parts
from fastmlp.backends import get_backend
from fastmlp.training import epoch_order


class Settings(NamedTuple):
    """What the process is asked to do."""

    config: str
    n_rows: int
    threads: int
    turns: int


def main(argument: str) -> int:
    """Take the step apart, turn by turn; whatever is raised ends the process, and is its reason."""
    say = line_writer()
    settings = Settings(**json.loads(argument))
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
    config = CONFIGS[settings.config]._replace(n_rows=settings.n_rows)
    problem = make_problem(config, None, settings.threads)
    for row in turns(problem, settings.turns):
        say({"row": row})
    say({"end": {"status": "ok", "reason": ""}})
    return 0


def turns(problem: Problem, n_turns: int) -> Iterator[dict[str, Any]]:
    """Yield microseconds per step of each turn: whole step, floor, and every part."""
    whole, parts = Epochs(get_backend("numpy"), problem), Parts(problem)
    floor = next(form for form in FLOORS if form.name == FLOOR).make(problem)
    steps = problem.X.shape[0] // problem.batch_size
    for contender in (whole, parts, floor):
        _timed_s(contender, problem, 1)
    n_epochs = max(1, round(TURN_S / _timed_s(whole, problem, 1)))
    us = 1e6 / (n_epochs * steps)
    for _ in range(n_turns):
        clocks, before = _clocks(), dict(parts.spent_s)
        step_us = us * _timed_s(whole, problem, n_epochs)
        _timed_s(parts, problem, n_epochs)
        after = parts.spent_s
        yield {
            "step_us": step_us,
            "floor_us": us * _timed_s(floor, problem, n_epochs),
            "parts_us": {kind: us * (after[kind] - before[kind]) for kind in after},
            "other_share": _other_share(clocks, _clocks()),
        }


def _clocks() -> tuple[float, float, float]:
    return busy_s(), time.process_time(), time.perf_counter()


def _other_share(before: tuple[float, ...], after: tuple[float, ...]) -> float | None:
    """Share of the machine that went to other work; None where the system does not tell."""
    machine_s, own_s, turn_s = (b - a for a, b in zip(before, after, strict=True))
    share = max(0.0, machine_s - own_s) / turn_s / (os.cpu_count() or 1)
    return None if math.isnan(machine_s) else share


def _timed_s(contender: Contender, problem: Problem, n_epochs: int) -> float:
    orders = [epoch_order(problem.X.shape[0], 0, epoch + 1) for epoch in range(n_epochs)]
    started = time.perf_counter()
    contender.run(orders)
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
