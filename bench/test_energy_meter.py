"""What a window costs the work inside of it, and whether it agrees with CodeCarbon by itself.

Both are about time that other work on the machine takes away, so they are no tests of the suite:
``pytest bench/test_energy_meter.py -s`` on a machine that is otherwise idle.
"""

from __future__ import annotations

import contextlib
import os
import random
import statistics
import tempfile
import time
from typing import Any

import pytest

from fastmlp.energy import EnergyMeter
from fastmlp.energy.tracker import SETTINGS, quiet

AGREE_WITHIN = 0.03
OVERHEAD_BELOW = 0.005
ROUNDS, PIECES = 11, 20


def compute(steps: int) -> None:
    """Pure work of the processor, in plain Python: it holds the lock of the interpreter."""
    total = 0
    for step in range(steps):
        total += step * step


def steps_of(seconds: float) -> int:
    """How many steps take so much processor time here."""
    trial = 500_000
    taken_s = min(cpu_time(trial) for _ in range(5))
    return int(trial * seconds / taken_s)


def cpu_time(steps: int) -> float:
    """Processor seconds of this thread for so many steps."""
    started_s = time.thread_time()
    compute(steps)
    return time.thread_time() - started_s


@pytest.mark.parametrize("scope", ["process", "machine"])
def test_its_total_is_that_of_a_plain_tracker(scope: str) -> None:
    codecarbon = pytest.importorskip("codecarbon")
    meter = EnergyMeter(engine="codecarbon", scope=scope)
    with quiet():
        plain = codecarbon.OfflineEmissionsTracker(
            tracking_mode=scope, output_dir=tempfile.gettempdir(), **SETTINGS
        )
    plain.start_task("warm-up")
    plain.stop_task("warm-up")
    steps = steps_of(5.0)
    plain.start_task("work")
    with meter.window("work", device="cpu") as window:
        compute(steps)
    theirs: Any = plain.stop_task("work")
    theirs_j = theirs.energy_consumed * 3.6e6
    assert window.result.codecarbon_total_j is not None
    ratio = window.result.codecarbon_total_j / theirs_j
    print(
        f"{scope}: {window.result.codecarbon_total_j:.2f} J and {theirs_j:.2f} J by the plain "
        f"tracker around it, ratio {ratio:.4f}, in {window.result.wall_s:.2f} s"
    )
    assert abs(ratio - 1) < AGREE_WITHIN


@pytest.mark.parametrize("engine", ["model", "codecarbon"])
def test_work_inside_a_window_takes_no_longer(engine: str) -> None:
    """By the time that other threads of this process take, and by the same work without a window.

    The first is exact to microseconds. For the second, windows of a second and the same without,
    twice, take turns in random order; each consists of pieces, and the fastest twentieth of all
    pieces is compared, since what else runs on the machine only adds. What the two without differ
    by is what the comparison can tell, and is added to the bar: next to nothing on a quiet machine.
    """
    if engine == "codecarbon":
        pytest.importorskip("codecarbon")
    meter = EnergyMeter(engine=engine)
    steps = steps_of(1.0 / PIECES)
    times: dict[str, list[float]] = {"without": [], "inside": [], "without again": []}
    others: list[float] = []
    for _ in range(ROUNDS):
        for name in random.sample(sorted(times), len(times)):
            is_inside = name == "inside"
            window = meter.window(device="cpu") if is_inside else None
            with window or contextlib.nullcontext():
                taken = [cpu_time(steps) for _ in range(PIECES)]
            times[name] += taken
            if window and window.result.cpu_s:
                others.append(window.result.cpu_s / sum(taken) - 1)
    fast = {name: statistics.quantiles(taken, n=20)[0] for name, taken in times.items()}
    control = fast["without again"] / fast["without"] - 1
    overhead = fast["inside"] / min(fast["without"], fast["without again"]) - 1
    print(
        f"{engine}: other threads and reading the clocks {statistics.median(others):+.3%} of a "
        f"second's work; inside {fast['inside'] / fast['without'] - 1:+.2%}, twice without "
        f"{control:+.2%}; load {os.getloadavg()[0]:.1f}"
    )
    assert statistics.median(others) < OVERHEAD_BELOW
    # where the same work without a window differs from itself, nothing finer can be asked
    assert overhead < OVERHEAD_BELOW + abs(control)
